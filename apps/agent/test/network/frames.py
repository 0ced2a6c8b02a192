"""One end of a bridge's wire, in its own network namespace: sends frames as they are given, in hex, and says which came
in. The namespace has no addresses, so nothing but these is on the wire. A frame's token is its last four bytes. Commands
and answers are JSON, one a line, as peer.py has them; `counters` is asked of the namespace the tables are in."""
import json, os, select, socket, sys

sys.path.insert(0, os.path.dirname(__file__))
ALL = 0x0003
OUTGOING = 4
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
wire.bind((sys.argv[1], ALL))
wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)


def say(**answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


nft = None


def command(line):
    global nft
    order = json.loads(line)
    if order["act"] == "counters":
        if nft is None:
            from nft import Nft

            nft = Nft()
        return say(done="counters", counters=nft.counters(order["table"]))
    wire.send(bytes.fromhex(order["frame"]))
    say(done=order["act"])


say(ready=True)
rest = b""
while True:
    ready, _, _ = select.select([wire, 0], [], [])
    if wire in ready:
        frame, (_, _, kind, *_) = wire.recvfrom(4096)
        if kind != OUTGOING and len(frame) >= 60:
            say(got=int.from_bytes(frame[-4:], "big"))
    if 0 in ready:
        read = os.read(0, 65536)
        if not read:
            sys.exit(0)
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            command(line)
