/**
 * On which file systems locks and syncs hold. A network file system may keep locks on one machine only, caches apart
 * from other machines, or answer a sync before anything is safe; FUSE promises whatever its program promises. An
 * unknown one is trusted: there are many good local ones, and refusing them would help nobody.
 */

export interface FileSystemFacts {
  readonly name: string;
  readonly trusted: boolean;
}

/** Magic numbers that Linux's statfs gives, from linux/magic.h and the sources of the others. */
const untrustedMagics: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9p'],
  [0x65735546, 'FUSE'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x73757245, 'Coda'],
  [0x564c, 'NCP'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
  [0x20030528, 'OrangeFS'],
  [0xaad7aaea, 'PanFS'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x786f4256, 'VirtualBox shared folders'],
  [0xbacbacbc, 'VMware shared folders'],
  [0x7c7c6673, 'Parallels shared folders'],
]);

const trustedMagics: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'XFS'],
  [0x9123683e, 'Btrfs'],
  [0x2fc12fc1, 'ZFS'],
  [0xf2f52010, 'F2FS'],
  [0x794c7630, 'overlayfs'],
  [0x01021994, 'tmpfs'],
]);

export function fileSystemOfMagic(magic: number): FileSystemFacts {
  // Where a C long has 32 bits, numbers from 2^31 on come out negative.
  const unsigned = magic >>> 0;
  const untrusted = untrustedMagics.get(unsigned);
  if (untrusted !== undefined) return { name: untrusted, trusted: false };
  const name = trustedMagics.get(unsigned) ?? `file system 0x${unsigned.toString(16)}`;
  return { name, trusted: true };
}

const untrustedTypes =
  /^(?:nfs|smbfs|cifs|afpfs|webdav|ftp|afs|.*fuse.*|9p|virtiofs|prl_fs|vmhgfs)$/i;

/**
 * From what /sbin/mount of macOS prints, where statfs gives no lasting numbers: lines such as
 * `//user@host/share on /Volumes/share (smbfs, nodev, nosuid)`. The longest mount point above the path holds it.
 */
export function fileSystemOfMounts(mounts: string, path: string): FileSystemFacts {
  let longest = -1;
  let type: string | undefined;
  for (const line of mounts.split('\n')) {
    const match = /^.*? on (\/.*) \(([^,)]+)[^)]*\)$/.exec(line);
    if (!match?.[1] || !match[2]) continue;
    const point = match[1];
    const holds = path === point || path.startsWith(point === '/' ? '/' : `${point}/`);
    if (holds && point.length > longest) {
      longest = point.length;
      type = match[2];
    }
  }
  if (type === undefined) return { name: 'an unknown file system', trusted: true };
  return { name: type, trusted: !untrustedTypes.test(type) };
}
