/** What asks the kernel where Node cannot: Node has no ioctl(2) and no netlink, and every Debian has perl-base. */
export const PERL = "/usr/bin/perl";
