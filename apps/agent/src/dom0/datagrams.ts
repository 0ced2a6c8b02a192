/** A Unix datagram socket, as /dev/log is. Node has none, so a few lines of Perl (Debian's perl-base is essential, so
 *  it is on each machine) receive, and pass each datagram on with its length in front. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { DoorError } from "./dom0.ts";

export const DATAGRAM_BYTES_MAX = 262_144;
const STDERR_CHARS_MAX = 1_024;

export type Receiving = {
  signal: AbortSignal;
  /** The socket is there. */
  bound(): void;
  datagram(bytes: Buffer): void;
};
export type ReceiveDatagrams = (path: string, receiving: Receiving) => Promise<void>;

/** Ends when its input does, so that it does not outlive a killed agent. The first 4 bytes out say that it is bound. */
const PROGRAM = `
use strict; use Socket; use IO::Select;
my ($path, $max) = @ARGV; my $bound;
END { unlink $path if $bound }
socket(my $in, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!\\n";
umask 0;
bind($in, pack_sockaddr_un($path)) or die "bind: $!\\n"; $bound = 1;
sub put { my ($all) = @_; my $at = 0;
  while ($at < length $all) { my $n = syswrite(STDOUT, $all, length($all) - $at, $at); defined $n or exit 0; $at += $n } }
put(pack("N", 0));
my $ready = IO::Select->new($in, \\*STDIN);
while (1) {
  for my $one ($ready->can_read) {
    if ($one == $in) { my $bytes; next unless defined recv($in, $bytes, $max, 0); put(pack("N", length($bytes) + 1) . $bytes) }
    else { exit 0 unless sysread(STDIN, my $word, 64) }
  }
}
`;

/** Until the signal aborts; the socket is then gone. @throws DoorError where it cannot be had or the receiver dies */
export const receiveDatagrams: ReceiveDatagrams = async (path, { signal, bound, datagram }) => {
  if (signal.aborted) return;
  const child = spawn("perl", ["-e", PROGRAM, "--", path, String(DATAGRAM_BYTES_MAX)], { stdio: "pipe" });
  const closed = once(child, "close");
  const stop = () => child.stdin.end();
  signal.addEventListener("abort", stop, { once: true });
  let said = "";
  child.stdin.on("error", () => {}); // it is gone; its exit says why
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(0, STDERR_CHARS_MAX);
  });
  child.stdout.on("data", unpack(bound, datagram));
  try {
    const [code, died] = await closed;
    if (signal.aborted) return;
    throw new DoorError(`no datagrams at ${path}: ${said.trim() || `the receiver ended (${died ?? code})`}`);
  } catch (error) {
    if (error instanceof DoorError) throw error;
    throw new DoorError(`no datagrams at ${path}: perl cannot be started (apt install perl-base)`, { cause: error });
  } finally {
    signal.removeEventListener("abort", stop);
  }
};

/** 4 bytes of length + 1, then the datagram; 0 alone says that the socket is bound. */
function unpack(bound: () => void, datagram: (bytes: Buffer) => void): (chunk: Buffer) => void {
  let held: Buffer = Buffer.alloc(0);
  return (chunk) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (held.length >= 4) {
      const length = held.readUInt32BE(0);
      if (length > 0 && held.length < 3 + length) break;
      if (length === 0) bound();
      else datagram(Buffer.from(held.subarray(4, 3 + length)));
      held = held.subarray(length === 0 ? 4 : 3 + length);
    }
    held = Buffer.from(held);
  };
}
