#!/usr/bin/env python3
"""Restores erasure objects (format version 1, see erasure.md) from any 14 of their 18 shard files. Python's standard library only.

    python3 erasure_decode.py OUTPUT SHARD [SHARD ...]                  the one object that these shards make
    python3 erasure_decode.py --list SHARD [SHARD ...]                  what objects they make, and the members of packs
    python3 erasure_decode.py --member NAME OUTPUT SHARD [SHARD ...]    one file out of a pack
    python3 erasure_decode.py --all DIRECTORY SHARD [SHARD ...]         every object, below DIRECTORY under its key
    python3 erasure_decode.py --verify SHARD [SHARD ...]                reads every cell, writes nothing
    --write-id HEX                                                      of several objects only this one; its first digits suffice

Give it every shard file that is left, or directories of them, of any racks, in any order, with any names; no manifest is needed. What
is damaged is named on stderr and done without. A file appears only when its checksum is right; the exit code is 0 only when all that was
asked for was done. Some tens of MB/s.
"""
import argparse
import hashlib
import os
import struct
import sys

K, M, HEADER, FOOTER, TRAILER, ENTRY = 14, 4, 4096, 128, 64, 24
MAX_PACK, MAX_MEMBERS, MAX_INDEX, MEMBER_BELOW = 1 << 28, 1 << 16, 1 << 24, K << 20

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


def xor(a, b):
    return (int.from_bytes(a, "little") ^ int.from_bytes(b, "little")).to_bytes(len(a), "little")


def combine(factors, cells):
    """The sum of cells, each times its factor."""
    total = bytes(len(cells[0]))
    for factor, cell in zip(factors, cells):
        if factor:
            total = xor(total, cell.translate(TIMES[factor]))
    return total


CRC = []
for byte in range(256):
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    CRC.append(byte)


# Only for speed: data is cut into lanes of 256 bytes, which advance together, a byte of all lanes at a time. Their registers lie in four byte planes;
# at the end they are joined, for a register moves over 256 zero bytes by a linear map: a table for each of its bytes.
LANE = 256
PLANES = [bytes(entry >> shift & 255 for entry in CRC) for shift in (0, 8, 16, 24)]


def apply(images, register):
    total = 0
    for bit in range(32):
        if register >> bit & 1:
            total ^= images[bit]
    return total


images = [CRC[register & 255] ^ (register >> 8) for register in (1 << bit for bit in range(32))]
for _ in range(8):
    images = [apply(images, image) for image in images]
OVER_LANE = [[apply(images, byte << shift) for byte in range(256)] for shift in (0, 8, 16, 24)]


def crc32c(data):
    crc, joined = 0xFFFFFFFF, 0
    if len(data) >= 16 * LANE:
        lanes = len(data) // LANE
        joined = lanes * LANE
        planes = [bytes(lanes)] * 4
        for step in range(LANE):
            entry = xor(planes[0], data[step:joined:LANE])
            planes = [xor(above, entry.translate(plane)) for above, plane in zip(planes[1:] + [bytes(lanes)], PLANES)]
        low, second, third, high = OVER_LANE
        for a, b, c, d in zip(*planes):
            crc = low[crc & 255] ^ second[crc >> 8 & 255] ^ third[crc >> 16 & 255] ^ high[crc >> 24] ^ (a | b << 8 | c << 16 | d << 24)
    for byte in data[joined:]:
        crc = CRC[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def demand(holds, why):
    if not holds:
        raise ValueError(why)


def complain(text):
    print(text, file=sys.stderr)


def demand_path(name):
    """Leads nowhere but below the directory it is written to; also the rule for a key."""
    demand(1 <= len(name.encode()) <= 900, "a name is empty or too long")
    demand(not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in name), "a name holds a control character")
    for step in name.split("/"):
        demand(step not in ("", ".", "..") and len(step.encode()) <= 255, "the name %r is not allowed" % name)


class Shard:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            header = file.read(HEADER)
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
            demand_path(self.key)

            tail_length = 4 * self.stripes + FOOTER
            file_length = HEADER + self.stripes * self.cell + tail_length
            demand(os.fstat(file.fileno()).st_size == file_length, "its length is wrong, %d bytes are needed" % file_length)
            file.seek(file_length - tail_length)
            tail = file.read(tail_length)
        table, footer = tail[:-FOOTER], tail[-FOOTER:]
        demand(footer[-8:] == b"PSTKECFT", "does not end like a shard")
        demand(crc32c(footer[:116]) == struct.unpack_from("<I", footer, 116)[0], "the footer's CRC32C differs")
        (version, size, k, m, index, zero, cell, header_again, stripes, length, write_id, self.sha256, self.object_crc, table_crc) = struct.unpack_from("<HHBBBBIIQQ16s32sII", footer, 0)
        demand((version, size, k, m, zero) == (1, FOOTER, K, M, 0) and not any(footer[88:116]), "unknown footer")
        demand((index, cell, header_again, stripes, length, write_id) == (self.index, self.cell, header_crc, self.stripes, self.length, self.write_id), "header and footer disagree")
        demand(crc32c(table) == table_crc, "the table's CRC32C differs")
        self.checksums = struct.unpack("<%dI" % self.stripes, table)
        self.identity = (self.write_id, self.key, self.length, self.cell, self.sha256)

    def read_cell(self, stripe):
        """The cell, or None where it is rotten."""
        with open(self.path, "rb") as file:
            file.seek(HEADER + stripe * self.cell)
            cell = file.read(self.cell)
        if len(cell) == self.cell and crc32c(cell) == self.checksums[stripe]:
            return cell
        complain("shard %d: cell %d is rotten (%s)" % (self.index, stripe, self.path))
        return None


class ErasureObject:
    """Shards of one write: {index: [Shard, ...]}. There are two of an index where a repair has rebuilt one that is still there."""

    def __init__(self, shards):
        self.shards = shards
        any_shard = next(iter(shards.values()))[0]
        self.write_id, self.key, self.length, self.cell, self.sha256 = any_shard.identity
        self.stripes = any_shard.stripes
        self.cached = (None, None)

    def restore_stripe(self, stripe):
        """The stripe's bytes, filling included, from the first 14 sound cells."""
        if self.cached[0] == stripe:
            return self.cached[1]
        cells = {}
        for index in sorted(self.shards):
            if len(cells) < K:
                cell = next(filter(None, (shard.read_cell(stripe) for shard in self.shards[index])), None)
                if cell is not None:
                    cells[index] = cell
        demand(len(cells) == K, "stripe %d has %d sound cells, %d are needed" % (stripe, len(cells), K))
        present = sorted(cells)
        inverted = invert([matrix_row(index) for index in present])
        data = [cells[wanted] if wanted in cells else combine(inverted[wanted], [cells[index] for index in present]) for wanted in range(K)]
        self.cached = (stripe, b"".join(data))
        return self.cached[1]

    def pieces(self, start, length):
        stripe_bytes = K * self.cell
        demand(0 <= start and start + length <= self.length, "the range lies outside the object")
        while length > 0:
            stripe, offset = divmod(start, stripe_bytes)
            piece = self.restore_stripe(stripe)[offset:offset + length]
            start, length = start + len(piece), length - len(piece)
            yield piece

    def read(self, start, length):
        return b"".join(self.pieces(start, length))

    def checked(self):
        """All pieces; fails at the end where they are not the object."""
        digest = hashlib.sha256()
        for piece in self.pieces(0, self.length):
            digest.update(piece)
            yield piece
        demand(digest.digest() == self.sha256, "the restored bytes do not have the object's SHA-256")

    def members(self):
        """[(name, offset, length, crc, mode, modified)], or None where it is no pack."""
        trailer = self.read(self.length - TRAILER, TRAILER) if self.length >= TRAILER else b""
        if trailer[-8:] != b"PSTKPACK" or crc32c(trailer[:52]) != struct.unpack_from("<I", trailer, 52)[0]:
            return None
        version, size, count, index_length, index_crc, pack_length = struct.unpack_from("<HHIIIQ", trailer)
        demand((version, size, pack_length) == (1, TRAILER, self.length) and not any(trailer[24:52]), "unknown pack trailer")
        demand(1 <= count <= MAX_MEMBERS and index_length <= MAX_INDEX and self.length <= MAX_PACK, "the pack is larger than allowed")
        demand(index_length + TRAILER <= self.length, "the pack's index is longer than the pack")
        index = self.read(self.length - TRAILER - index_length, index_length)
        demand(crc32c(index) == index_crc, "the pack index's CRC32C differs")
        found, position, end, before = [], 0, 0, b""
        for _ in range(count):
            demand(position + ENTRY <= index_length, "the pack's index ends within an entry")
            offset, length, crc, mode, name_length, modified = struct.unpack_from("<IIIHHq", index, position)
            name = index[position + ENTRY:position + ENTRY + name_length]
            demand(len(name) == name_length and name > before, "names in the pack's index are cut or not in order")
            demand(offset == end and length < MEMBER_BELOW and mode <= 0o7777, "the pack's index leaves bytes over, or has fields out of range")
            demand_path(name.decode("utf-8"))
            found.append((name.decode("utf-8"), offset, length, crc, mode, modified))
            position, end, before = position + ENTRY + name_length, end + length, name
        demand(position == index_length and end == self.length - TRAILER - index_length, "the pack's index is not as long as its entries")
        return found

    def verify(self):
        """Every cell of every shard, parity against data, the whole against its digest. Returns the indices that have a sound shard."""
        rotten = set()
        digest = hashlib.sha256()
        for stripe in range(self.stripes):
            data = self.restore_stripe(stripe)
            cells = [data[i:i + self.cell] for i in range(0, len(data), self.cell)]
            digest.update(data[:self.length - stripe * len(data)])
            for index, copies in self.shards.items():
                expected = cells[index] if index < K else combine(matrix_row(index), cells)
                rotten.update(shard for shard in copies if shard.read_cell(stripe) != expected)
        demand(digest.digest() == self.sha256, "the restored bytes do not have the object's SHA-256")
        for name, offset, length, crc, _, _ in self.members() or []:
            demand(crc32c(self.read(offset, length)) == crc, "the member %r has another CRC32C" % name)
        return {index for index, copies in self.shards.items() if not rotten.issuperset(copies)}


def files_of(paths):
    for path in paths:
        if not os.path.isdir(path):
            yield path
        for directory, _, names in os.walk(path):
            for name in sorted(names):
                yield os.path.join(directory, name)


def read_objects(paths, write_id):
    """(those that can be restored, those that cannot): lists of ErasureObject, by key."""
    groups = {}
    for path in files_of(paths):
        try:
            shard = Shard(path)
        except (ValueError, OSError, struct.error) as error:
            complain("%s: not used: %s" % (path, error))
            continue
        if shard.write_id.hex().startswith(write_id):
            groups.setdefault(shard.identity, {}).setdefault(shard.index, []).append(shard)
    objects = sorted((ErasureObject(shards) for shards in groups.values()), key=lambda each: (each.key, each.write_id))
    return [each for each in objects if len(each.shards) >= K], [each for each in objects if len(each.shards) < K]


def describe(objects):
    return ", ".join("%s: %d shards of %r" % (each.write_id.hex(), len(each.shards), each.key) for each in objects) or "none"


def save(output, pieces):
    """Under its name only when whole."""
    part = output + ".part"
    try:
        with open(part, "wb") as target:
            for piece in pieces:
                target.write(piece)
        os.replace(part, output)
    except BaseException:
        if os.path.exists(part):
            os.remove(part)
        raise


def restore_one(output, usable, broken):
    demand(usable, "need at least %d sound shards of one write id; found %s" % (K, describe(broken)))
    demand(len(usable) == 1, "these are the shards of %d objects; choose one with --write-id, or restore them with --all: %s" % (len(usable), describe(usable)))
    save(output, usable[0].checked())
    print("%s: %d bytes, SHA-256 %s, of %r" % (output, usable[0].length, usable[0].sha256.hex(), usable[0].key))


def members_of(each):
    try:
        return each.members() or []
    except ValueError as error:
        complain("%r: %s" % (each.key, error))
        return []


def restore_member(name, output, usable, broken):
    found = [(each, member) for each in usable for member in members_of(each) if member[0] == name]
    demand(found, "no pack among these shards has a member %r; there are %s; too few shards: %s" % (name, describe(usable), describe(broken)))
    demand(len(found) == 1, "several packs have a member %r; choose one with --write-id: %s" % (name, describe([each for each, _ in found])))
    pack, (_, offset, length, crc, mode, modified) = found[0]
    content = pack.read(offset, length)
    demand(crc32c(content) == crc, "the member %r has another CRC32C" % name)
    save(output, [content])
    os.chmod(output, mode)
    os.utime(output, ns=(modified * 1000000, modified * 1000000))
    print("%s: %d bytes, %r of the pack %r" % (output, length, name, pack.key))


def restore_all(directory, usable, broken):
    failures = [describe([each]) for each in broken]
    for each in usable:
        output = os.path.join(directory, each.key)
        try:
            demand(not os.path.lexists(output), "it exists; two writes of one key are told apart with --write-id")
            os.makedirs(os.path.dirname(output), exist_ok=True)
            save(output, each.checked())
            print("%s: %d bytes, SHA-256 %s" % (output, each.length, each.sha256.hex()))
        except (ValueError, OSError) as error:
            failures.append("%s: %s" % (output, error))
    demand(usable and not failures, "not restored (%d shards of one write id are needed): %s" % (K, "; ".join(failures) or "none"))


def show(usable, broken):
    for each in usable + broken:
        print("%s  %2d shards  %d bytes  %r" % (each.write_id.hex(), len(each.shards), each.length, each.key))
        for name, _, length, crc, mode, _ in members_of(each) if each in usable else []:
            print("    %04o  %10d  %08x  %r" % (mode, length, crc, name))


def verify_all(usable, broken):
    for each in usable:
        sound = each.verify()
        missing = sorted(set(range(K + M)) - sound)
        print("%r: right, %d racks may be lost; lost or rotten shards: %s" % (each.key, len(sound) - K, missing or "none"))
    demand(usable and not broken, "too few shards (%d of one write id are needed): %s" % (K, describe(broken)))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--list", action="store_true")
    mode.add_argument("--verify", action="store_true")
    mode.add_argument("--all", metavar="DIRECTORY")
    mode.add_argument("--member", metavar="NAME")
    parser.add_argument("--write-id", default="")
    parser.add_argument("paths", nargs="+")
    options = parser.parse_args()
    output, shards = (None, options.paths) if options.list or options.verify or options.all else (options.paths[0], options.paths[1:])
    objects = read_objects(shards, options.write_id.lower())
    try:
        if options.list:
            show(*objects)
        elif options.verify:
            verify_all(*objects)
        elif options.all:
            restore_all(options.all, *objects)
        elif options.member is not None:
            restore_member(options.member, output, *objects)
        else:
            restore_one(output, *objects)
    except (ValueError, OSError) as error:
        sys.exit("error: %s" % error)


if __name__ == "__main__":
    main()
