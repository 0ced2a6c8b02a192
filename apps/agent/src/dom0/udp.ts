/** UDP with a buffer of the kernel's own for each known sender: a sender that floods fills its own and nobody else's. A
 *  group of sockets at one port (SO_REUSEPORT) and a filter that says by the source's address which of them a datagram is
 *  for. Node can ask for neither, so a few lines of Perl (perl-base is essential in Debian) read the sockets in turn, so
 *  much of each, and pass on what they read as fast as it is taken. What the kernel dropped is counted for each socket. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { DoorError } from "./dom0.ts";
import { steering } from "./udp-steering.ts";

/** Senders that are not known are spread over so many buffers. */
export const SHARED_SOCKETS = 8;
/** Some thousand lines; the receiver is away for milliseconds. */
const SOCKET_BYTES = 1024 * 1024;
const PACE_EVERY_MS = 1_000;
const STDERR_CHARS_MAX = 1_024;

export type UdpReceiving = {
  address: { host: string; port: number };
  /** The addresses of each known sender. */
  senders: readonly (readonly string[])[];
  /** How many datagrams a second are read of each buffer at most, and how many at once after silence; asked again each
   *  second. What comes faster is the kernel's to drop, which costs next to nothing. */
  pace(): { perSecond: number; burst: number };
  signal: AbortSignal;
  /** With the real port. */
  bound(at: { address: string; port: number }): void;
  /** What came at once; more is read when this resolves. `address` is IPv4, or IPv6 in full. */
  datagrams(batch: readonly { bytes: Buffer; address: string }[]): Promise<unknown>;
  /** How many the kernel has dropped since the beginning: for each sender, and last for all that are not known. */
  dropped(counts: readonly number[]): void;
};
export type ReceiveUdp = (receiving: UdpReceiving) => Promise<void>;

/** Each frame: 4 bytes of length, its letter, its content. B: bound, with address and port. L: what each socket has lost.
 *  D: a byte for the address's length, the address, the datagram. A line of its input is another pace. It ends when its input does, so that it does not outlive
 *  a killed agent, and first passes on what lies in the buffers. The first bind, that of one socket alone, is for being
 *  refused where another program has the port. */
const PROGRAM = `
use strict; use Socket qw(:all); use POSIX ();
my ($host, $port, $sockets, $buffer, $filter, $rate, $burst) = @ARGV;
my $six = $host =~ /:/; my $family = $six ? AF_INET6 : AF_INET;
my $ip = inet_pton($family, $host); defined $ip or die "$host is no address\\n";
sub bound { my ($shared) = @_;
  socket(my $s, $family, SOCK_DGRAM, 0) or die "socket: $!\\n";
  setsockopt($s, IPPROTO_IPV6, IPV6_V6ONLY, pack("i", 0)) if $six;
  setsockopt($s, SOL_SOCKET, 15, pack("i", 1)) or die "SO_REUSEPORT: $!\\n" if $shared;
  setsockopt($s, SOL_SOCKET, 33, pack("i", $buffer)) or setsockopt($s, SOL_SOCKET, 8, pack("i", $buffer));
  bind($s, $six ? pack_sockaddr_in6($port, $ip) : pack_sockaddr_in($port, $ip)) or die "$!\\n";
  return $s }
my $alone = bound(0); my $name = getsockname($alone);
$port = (($six ? unpack_sockaddr_in6($name) : unpack_sockaddr_in($name)))[0]; close $alone;
my @all = bound(1); my $code = pack("H*", $filter);
setsockopt($all[0], SOL_SOCKET, 51, pack("S x![p] P", length($code) / 8, $code)) or die "SO_ATTACH_REUSEPORT_CBPF: $!\\n";
push @all, bound(1) while @all < $sockets;
my @inodes = map { (stat $_)[1] } @all; my @left = map { $burst } @all;
sub ticks { (POSIX::times())[0] } my $second = POSIX::sysconf(POSIX::_SC_CLK_TCK()); my $filled = ticks();
my $out = "";
sub put { my $at = 0;
  while ($at < length $out) { my $n = syswrite(STDOUT, $out, length($out) - $at, $at); defined $n or exit 0; $at += $n } $out = "" }
sub frame { $out .= pack("N a*", length $_[0], $_[0]) }
my $told = join " ", map { 0 } @all;
sub lost { my %drops;
  for my $table ("udp", "udp6") { open my $rows, "<", "/proc/net/$table" or next;
    while (<$rows>) { my @row = split; $drops{$row[9]} = $row[12] } }
  my $now = join " ", map { $drops{$_} // 0 } @inodes;
  frame("L$now") if $now ne $told; $told = $now }
sub sweep { my ($last) = @_; my $any = 0; my $bytes;
  for my $n (0 .. $#all) { my $s = $all[$n];
    for (my $held = 0; $held < 65536 && ($last || $left[$n] >= 1); $left[$n]--) {
      my $from = recv($s, $bytes, 65535, MSG_DONTWAIT); defined $from or last;
      my $sender = $six ? substr($from, 8, 16) : substr($from, 4, 4);
      $out .= pack("N a C/a* a*", 2 + length($sender) + length $bytes, "D", $sender, $bytes);
      $held += 256 + length $bytes; $any = 1;
      put() if length $out > 65536 } }
  return $any }
frame("B" . inet_ntop($family, $ip) . " $port"); put();
my $looked = time;
while (1) {
  my $now = ticks(); my $more = ($now - $filled) * $rate / $second; $filled = $now;
  my $ready = ""; vec($ready, 0, 1) = 1; my $paused = 0;
  for my $n (0 .. $#all) { $left[$n] += $more; $left[$n] = $burst if $left[$n] > $burst;
    if ($left[$n] >= 1) { vec($ready, fileno $all[$n], 1) = 1 } else { $paused = 1 } }
  my $found = select($ready, undef, undef, $paused ? 1 / $second : 5); next if $found < 0;
  if ($found && vec($ready, 0, 1)) {
    my $word; if (!sysread(STDIN, $word, 256)) { my $until = time + 1; 1 while sweep(1) && time <= $until; lost(); put(); exit 0 }
    ($rate, $burst) = ($1, $2) if $word =~ /([0-9]+) ([0-9]+)\n$/ }
  sweep(0) if $found;
  if (abs(time - $looked) >= 5) { lost(); $looked = time }
  put();
}
`;

/** Until the signal aborts, and then what was already there. @throws DoorError where the address cannot be had, or the
 *  receiver dies; what `datagrams` throws */
export const receiveUdp: ReceiveUdp = async ({ address, senders, pace, signal, bound, datagrams, dropped }) => {
  if (signal.aborted) return;
  const paceWords = () => `${pace().perSecond} ${pace().burst}`;
  let paced = paceWords();
  const place = `${address.host}:${address.port}`;
  const sockets = senders.length + SHARED_SOCKETS;
  const filter = Buffer.from(steering(senders, SHARED_SOCKETS)).toString("hex");
  const settings = [address.host, address.port, sockets, SOCKET_BYTES, filter, ...paced.split(" ")].map(String);
  const child = spawn("perl", ["-e", PROGRAM, "--", ...settings], { stdio: "pipe" });
  const closed = once(child, "close");
  closed.catch(() => {}); // awaited below
  const stop = () => child.stdin.end();
  signal.addEventListener("abort", stop, { once: true });
  const timer = setInterval(() => {
    const next = paceWords();
    if (next !== paced && child.stdin.writable) child.stdin.write(`${next}\n`);
    paced = next;
  }, PACE_EVERY_MS);
  let said = "";
  child.stdin.on("error", () => {}); // it is gone; its exit says why
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(0, STDERR_CHARS_MAX);
  });
  try {
    const frames = unpacker();
    const addresses = new Map<string, string>();
    for await (const chunk of child.stdout) {
      const batch: { bytes: Buffer; address: string }[] = [];
      for (const frame of frames(chunk as Buffer)) {
        const content = frame.subarray(1);
        if (frame[0] === LETTER.bound) {
          const [host, port] = content.toString().split(" ");
          bound({ address: host!, port: Number(port) });
        } else if (frame[0] === LETTER.lost) {
          const counts = content.toString().split(" ").map(Number);
          const shared = counts.splice(senders.length).reduce((sum, count) => sum + count, 0);
          dropped([...counts, shared]);
        } else {
          const length = content[0]!;
          batch.push({
            address: known(addresses, content.subarray(1, 1 + length)),
            bytes: content.subarray(1 + length),
          });
        }
      }
      if (batch.length > 0) await datagrams(batch);
    }
    const [code, died] = await closed;
    if (signal.aborted) return;
    throw new DoorError(`no datagrams at ${place}: ${said.trim() || `the receiver ended (${died ?? code})`}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new DoorError(`no datagrams at ${place}: perl cannot be started (apt install perl-base)`, { cause: error });
  } finally {
    clearInterval(timer);
    signal.removeEventListener("abort", stop);
    child.kill();
    await closed.catch(() => {});
  }
};

const LETTER = { bound: 0x42, lost: 0x4c };

/** Chunks of a stream → whole frames. What it gives is not changed later. */
function unpacker(): (chunk: Buffer) => Iterable<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  return function* (chunk) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (held.length >= 4) {
      const length = held.readUInt32BE(0);
      if (held.length < 4 + length) break;
      yield held.subarray(4, 4 + length);
      held = held.subarray(4 + length);
    }
    held = Buffer.from(held);
  };
}

const ADDRESSES_MAX = 4_096;

/** Made once for each sender, not for each line. */
function known(addresses: Map<string, string>, bytes: Buffer): string {
  const key = bytes.toString("latin1");
  const found = addresses.get(key);
  if (found) return found;
  if (addresses.size >= ADDRESSES_MAX) addresses.clear();
  const text = textOf(bytes);
  addresses.set(key, text);
  return text;
}

const MAPPED = Buffer.from("00000000000000000000ffff", "hex");

function textOf(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join(".");
  if (bytes.subarray(0, 12).equals(MAPPED)) return textOf(bytes.subarray(12));
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
