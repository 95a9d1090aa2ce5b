#!/usr/bin/env python3
"""Restores an erasure object (format version 1, see erasure.md) from any 14 of its 18 shard files. Python's standard library only.

    python3 erasure_decode.py OUTPUT SHARD [SHARD ...]

Give it every shard file that is left, of any racks, in any order, with any names; no manifest is needed. What is damaged is named on
stderr and done without. OUTPUT appears only when its SHA-256 is right. Slow (CRC32C in plain Python, a few MB/s) but complete.
"""
import hashlib
import os
import struct
import sys

K, M, HEADER, FOOTER = 14, 4, 4096, 128

# GF(2^8), polynomial 0x11d, and a 256-byte multiplication table per constant for bytes.translate.
EXP, LOG = [0] * 510, [0] * 256
value = 1
for exponent in range(255):
    EXP[exponent] = EXP[exponent + 255] = value
    LOG[value] = exponent
    value = (value << 1) ^ (0x11D if value & 0x80 else 0)


def multiply(a, b):
    return EXP[LOG[a] + LOG[b]] if a and b else 0


def inverse(a):
    return EXP[255 - LOG[a]]


TIMES = [bytes(multiply(factor, byte) for byte in range(256)) for factor in range(256)]


def matrix_row(index):
    return [int(index == column) if index < K else inverse(index ^ column) for column in range(K)]


def invert(matrix):
    size = len(matrix)
    rows = [row + [int(i == j) for j in range(size)] for i, row in enumerate(matrix)]
    for column in range(size):
        pivot = next(i for i in range(column, size) if rows[i][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        scale = inverse(rows[column][column])
        rows[column] = [multiply(scale, entry) for entry in rows[column]]
        for i in range(size):
            factor = rows[i][column]
            if i != column and factor:
                rows[i] = [entry ^ multiply(factor, other) for entry, other in zip(rows[i], rows[column])]
    return [row[size:] for row in rows]


CRC = []
for byte in range(256):
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    CRC.append(byte)


def crc32c(data):
    table, crc = CRC, 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def demand(holds, why):
    if not holds:
        raise ValueError(why)


class Shard:
    def __init__(self, path):
        self.file = open(path, "rb")
        header = self.file.read(HEADER)
        demand(len(header) == HEADER and header[:8] == b"PSTKECHD", "does not begin like a shard")
        (header_crc,) = struct.unpack_from("<I", header, 4092)
        demand(crc32c(header[:4092]) == header_crc, "the header's CRC32C differs")
        version, size, k, m, self.index, zero, self.cell, polynomial, matrix, self.length, self.stripes = struct.unpack_from("<HHBBBBIHHQQ", header, 8)
        demand((version, size, k, m, zero, polynomial, matrix) == (1, HEADER, K, M, 0, 0x11D, 1), "unknown version or code")
        demand(self.index < K + M, "no such shard index")
        demand(64 <= self.cell <= 1 << 20 and self.cell % 64 == 0, "cell size not allowed")
        demand(self.stripes == -(-self.length // (K * self.cell)), "stripes and length disagree")
        self.write_id, key_hash, created, key_length = struct.unpack_from("<16s32sQH", header, 40)
        key = header[98:98 + key_length]
        demand(1 <= key_length <= 900 and hashlib.sha256(key).digest() == key_hash, "key and key hash disagree")
        demand(not any(header[98 + key_length:4092]), "the filling is not zero")
        self.key = key.decode("utf-8")

        table_start = HEADER + self.stripes * self.cell
        self.file.seek(table_start)
        tail = self.file.read()
        demand(len(tail) == 4 * self.stripes + FOOTER and tail[-8:] == b"PSTKECFT", "its length is wrong, or it does not end like a shard")
        table, footer = tail[:-FOOTER], tail[-FOOTER:]
        demand(crc32c(footer[:116]) == struct.unpack_from("<I", footer, 116)[0], "the footer's CRC32C differs")
        (version, size, k, m, index, zero, cell, header_again, stripes, length, write_id, self.sha256, self.object_crc, table_crc) = struct.unpack_from("<HHBBBBIIQQ16s32sII", footer, 0)
        demand((version, size, k, m, zero) == (1, FOOTER, K, M, 0) and not any(footer[88:116]), "unknown footer")
        demand((index, cell, header_again, stripes, length, write_id) == (self.index, self.cell, header_crc, self.stripes, self.length, self.write_id), "header and footer disagree")
        demand(crc32c(table) == table_crc, "the table's CRC32C differs")
        self.checksums = struct.unpack("<%dI" % self.stripes, table)
        self.identity = (self.write_id, self.key, self.length, self.cell, self.sha256)

    def read_cell(self, stripe):
        """The cell, or None where it is rotten."""
        self.file.seek(HEADER + stripe * self.cell)
        cell = self.file.read(self.cell)
        return cell if len(cell) == self.cell and crc32c(cell) == self.checksums[stripe] else None


def restore_stripe(cells):
    """The 14 data cells from any 14 cells {index: bytes}."""
    present = sorted(cells)[:K]
    if present == list(range(K)):
        return [cells[index] for index in present]
    inverted = invert([matrix_row(index) for index in present])
    size = len(cells[present[0]])
    restored = []
    for wanted in range(K):
        if wanted in cells:
            restored.append(cells[wanted])
            continue
        total = 0
        for factor, index in zip(inverted[wanted], present):
            if factor:
                total ^= int.from_bytes(cells[index].translate(TIMES[factor]), "little")
        restored.append(total.to_bytes(size, "little"))
    return restored


def main(output, paths):
    groups = {}
    for path in paths:
        try:
            shard = Shard(path)
        except (ValueError, OSError, struct.error) as error:
            print("%s: not used: %s" % (path, error), file=sys.stderr)
            continue
        groups.setdefault(shard.identity, {})[shard.index] = shard
    usable = [shards for shards in groups.values() if len(shards) >= K]
    if len(usable) != 1:
        found = ", ".join("%s: %d shards" % (identity[0].hex(), len(shards)) for identity, shards in groups.items())
        sys.exit("need at least %d sound shards of exactly one write id; found %s" % (K, found or "none"))
    shards = usable[0]
    first = next(iter(shards.values()))
    digest, left = hashlib.sha256(), first.length
    with open(output + ".part", "wb") as target:
        for stripe in range(first.stripes):
            cells = {}
            for index in sorted(shards):
                if len(cells) == K:
                    break
                cell = shards[index].read_cell(stripe)
                if cell is None:
                    print("shard %d: cell %d is rotten" % (index, stripe), file=sys.stderr)
                else:
                    cells[index] = cell
            if len(cells) < K:
                sys.exit("stripe %d has %d sound cells, %d are needed" % (stripe, len(cells), K))
            for cell in restore_stripe(cells):
                piece = cell[:left]
                left -= len(piece)
                digest.update(piece)
                target.write(piece)
    if digest.digest() != first.sha256:
        sys.exit("the restored bytes do not have the object's SHA-256")
    os.replace(output + ".part", output)
    print("%s: %d bytes, SHA-256 %s, of %r" % (output, first.length, digest.hexdigest(), first.key))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
