import { describe, expect, test } from 'vitest';
import { fileSystemOfMagic, fileSystemOfMounts } from '#src/log/file-systems.js';

describe('file systems of Linux', () => {
  test.each([
    [0x6969, 'NFS'],
    [0x517b, 'SMB'],
    [0xff534d42, 'CIFS'],
    [0xfe534d42, 'SMB2'],
    [0x01021997, '9p'],
    [0x65735546, 'FUSE'],
    [0x5346414f, 'AFS'],
    [0x00c36400, 'Ceph'],
    [0x73757245, 'Coda'],
    [0x564c, 'NCP'],
  ])('does not trust magic %d: %s', (magic, name) => {
    expect(fileSystemOfMagic(magic)).toEqual({ name, trusted: false });
  });

  test.each([
    [0xef53, 'ext4'],
    [0x58465342, 'XFS'],
    [0x9123683e, 'Btrfs'],
    [0x794c7630, 'overlayfs'],
    [0x01021994, 'tmpfs'],
  ])('trusts magic %d: %s', (magic, name) => {
    expect(fileSystemOfMagic(magic)).toEqual({ name, trusted: true });
  });

  test('trusts what it does not know, and gives its number', () => {
    expect(fileSystemOfMagic(0x12345)).toEqual({ name: 'file system 0x12345', trusted: true });
  });

  test('knows a magic that came as a negative number', () => {
    expect(fileSystemOfMagic(0xff534d42 | 0)).toEqual({ name: 'CIFS', trusted: false });
  });
});

describe('file systems of macOS', () => {
  const mounts = [
    '/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)',
    'devfs on /dev (devfs, local, nobrowse)',
    '/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse)',
    '//guest@host/share on /Volumes/a share (smbfs, nodev, nosuid, mounted by someone)',
    'host:/export on /Volumes/export (nfs)',
    'tool@macfuse0 on /Volumes/export/inner (macfuse, synchronous)',
    '',
  ].join('\n');

  test.each([
    ['/Users/someone/memory', 'apfs', true],
    ['/Volumes/a share/memory', 'smbfs', false],
    ['/Volumes/a shared disk', 'apfs', true],
    ['/Volumes/export', 'nfs', false],
    ['/Volumes/export/inner/memory', 'macfuse', false],
  ])('%s lies on %s', (path, name, trusted) => {
    expect(fileSystemOfMounts(mounts, path)).toEqual({ name, trusted });
  });

  test('trusts a path that no line holds', () => {
    const unknown = { name: 'an unknown file system', trusted: true };
    expect(fileSystemOfMounts('nonsense', '/a')).toEqual(unknown);
  });
});
