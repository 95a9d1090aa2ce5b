/** What a check says of a target that does not hold everything. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { noCounts, notWhole } from '../../../model/check.ts';

const target = { store: 'cold', bucket: 'a', prefix: 'b/' };

describe('a target that is held to its files', () => {
  it('is whole where each is the same by its checksum', () => {
    assert.equal(notWhole({ ...noCounts, same: 3 }, 3, target, []), undefined);
  });

  it('is not where sizes alone could be compared, and the message says so', () => {
    const fault = notWhole({ ...noCounts, same: 1, sameSize: 2 }, 3, target, []);
    assert.equal(fault?.type, 'CorruptSource');
    assert.match(
      fault.message,
      /0 of 3 files are missing, 0 differ, 0 cannot be read and 2 have no checksum to compare in cold: s3:\/\/a\/b\/\. The source is kept/,
    );
  });

  it('names the first three', () => {
    const fault = notWhole({ ...noCounts, same: 1, missing: 4 }, 5, target, ['+ a', '+ b', '+ c', '+ d']);
    assert.match(fault?.message ?? '', /4 of 5 files are missing, 0 differ and 0 cannot be read in cold: s3:\/\/a\/b\/, such as \+ a, \+ b, \+ c\. The/);
  });
});
