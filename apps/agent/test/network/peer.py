"""One end of the test's wire, in its own network namespace: sends single packets and says which ones came in.
Commands and answers are JSON, one a line. A packet's token is its source port, or its ICMP id."""
import json, os, select, socket, struct, sys

sys.path.insert(0, os.path.dirname(__file__))
from nft import Nft

PORTS = [int(port) for port in sys.argv[1].split(",")]
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
poll = select.poll()
known = {}
sent = {}


def say(**answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def watch(sock, act):
    known[sock.fileno()] = (sock, act)
    poll.register(sock, select.POLLIN)


def forget(sock):
    poll.unregister(sock)
    known.pop(sock.fileno(), None)
    sock.close()


def bound(family, kind, address, port):
    sock = socket.socket(FAMILIES[family], kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == 6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((address, port))
    return sock


def reset(sock):
    # a reset at once: no late packet of this connection falls into the next question
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def accept(sock):
    connection, peer = sock.accept()
    reset(connection)
    connection.setblocking(False)
    watch(connection, lambda each: stream(each, peer[1]))
    say(got=peer[1])


def stream(sock, token):
    try:
        text = sock.recv(1024)
    except OSError:
        text = b""
    if text:
        say(got=token, text=text.decode())
    else:
        forget(sock)


def datagram(sock):
    say(got=sock.recvfrom(1024)[1][1])


def echo(family):
    def act(sock):
        packet = sock.recv(2048)
        message = packet[(packet[0] & 15) * 4 :] if family == 4 else packet
        if message[0] == (8 if family == 4 else 128):
            say(got=struct.unpack("!H", message[4:6])[0])

    return act


def checksum(message):
    total = sum(struct.unpack("!%dH" % (len(message) // 2), message))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def send(family, protocol, source, to, port, token):
    if protocol == "icmp":
        number = socket.IPPROTO_ICMP if family == 4 else socket.IPPROTO_ICMPV6
        sock = sent[token] = socket.socket(FAMILIES[family], socket.SOCK_RAW, number)
        sock.bind((source, 0))
        message = struct.pack("!BBHHH", 8 if family == 4 else 128, 0, 0, token, 1)
        if family == 4:
            message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
        sock.sendto(message, (to, 0))
    elif protocol == "udp":
        sock = sent[token] = bound(family, socket.SOCK_DGRAM, source, token)
        sock.sendto(b"x", (to, port))
    else:
        sock = sent[token] = bound(family, socket.SOCK_STREAM, source, token)
        sock.setblocking(False)
        reset(sock)
        sock.connect_ex((to, port))


nft = None


def command(line):
    global nft
    order = json.loads(line)
    act = order.pop("act")
    try:
        if act == "send":
            send(**order)
        elif act == "write":
            sent[order["token"]].send(order["text"].encode())
        elif act == "close":
            sent.pop(order["token"]).close()
        elif act == "counters":
            nft = nft or Nft()
            say(done=act, counters=nft.counters(order["table"]))
            return
        say(done=act)
    except PermissionError:
        # what the sender's own kernel drops on the way out it is told of; the counter tells us
        say(done=act)
    except OSError as error:
        say(done=act, error=str(error))


for family in (4, 6):
    wild = "0.0.0.0" if family == 4 else "::"
    for port in PORTS:
        watch(bound(family, socket.SOCK_DGRAM, wild, port), datagram)
        listener = bound(family, socket.SOCK_STREAM, wild, port)
        listener.listen(64)
        watch(listener, accept)
    number = socket.IPPROTO_ICMP if family == 4 else socket.IPPROTO_ICMPV6
    raw = socket.socket(FAMILIES[family], socket.SOCK_RAW, number)
    raw.setblocking(False)
    watch(raw, echo(family))

poll.register(0, select.POLLIN)
say(ready=True)
rest = b""
while True:
    for number, _ in poll.poll():
        if number == 0:
            read = os.read(0, 65536)
            if not read:
                sys.exit(0)
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                command(line)
        elif number in known:
            sock, act = known[number]
            act(sock)
