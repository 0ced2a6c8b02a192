"""What fills a table of connections, in the namespace it is started in. `hold N`: N established ones, put there by netlink
as a guest and one outside would make them in a minute; prints how many the kernel took. `begin A B N`: N first packets of
TCP from address A to B, port 443, each of another source port, without waiting for an
answer. `mark N...`: an established one for each mark. `one A B FROM TO FLAGS`: a segment of TCP."""
import socket, struct, sys

NEW, EXCL, CREATE, REQUEST, ACK = 0x100, 0x200, 0x400, 1, 4


def attribute(kind, value):
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (-length % 4)


def nested(kind, *inside):
    return attribute(kind | 0x8000, b"".join(inside))


def side(kind, source, destination, source_port, destination_port):
    address = nested(1, attribute(1, source), attribute(2, destination))
    ports = [attribute(at, struct.pack("!H", port)) for at, port in ((2, source_port), (3, destination_port))]
    return nested(kind, address, nested(2, attribute(1, bytes([socket.IPPROTO_TCP])), *ports))


def entry(number):
    guest, far = socket.inet_aton("10.1.0.2"), struct.pack("!I", 0x0C000000 + number // 60000)
    port = 2000 + number % 60000
    established = nested(4, nested(1, attribute(1, b"\3")))
    answered = struct.pack("!I", 2 | 4 | 8)
    day = struct.pack("!I", 86400)
    body = side(1, guest, far, port, 443) + side(2, far, guest, 443, port)
    body += attribute(3, answered) + established + attribute(7, day)
    return struct.pack("=BBH", socket.AF_INET, 0, 0) + body


def hold(entries):
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    wanted, taken = len(entries), 0
    for number, body in enumerate(entries):
        head = struct.pack("=IHHII", 16 + len(body), NEW, REQUEST | ACK | CREATE | EXCL, number, 0)
        netlink.send(head + body)
        error = struct.unpack("=i", netlink.recv(4096)[16:20])[0]
        if error:
            break
        taken += 1
    print(taken, -error if taken < wanted else 0, flush=True)


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def sender(source, destination):
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    ends = socket.inet_aton(source) + socket.inet_aton(destination)

    def send(from_port, to_port, flags):
        segment = struct.pack("!HHIIBBHHH", from_port, to_port, 1, 1, 0x50, flags, 64240, 0, 0)
        summed = checksum(ends + struct.pack("!BBH", 0, 6, 20) + segment)
        segment = segment[:16] + struct.pack("!H", summed) + segment[18:]
        raw.sendto(struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0) + ends + segment, (destination, 0))

    return send


act, *rest = sys.argv[1:]
if act == "hold":
    hold([entry(number) for number in range(int(rest[0]))])
elif act == "mark":
    apart = 1_000_000
    hold([entry(apart + at) + attribute(8, struct.pack("!I", int(mark))) for at, mark in enumerate(rest)])
elif act == "begin":
    send = sender(rest[0], rest[1])
    for number in range(int(rest[2])):
        send(1024 + number, 443, 2)
else:
    sender(rest[0], rest[1])(*map(int, rest[2:]))
