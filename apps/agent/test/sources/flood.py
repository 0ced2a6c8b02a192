"""A guest that floods: so many lines a second for so many seconds, or as many as can be written. Says how many lines it
wrote and in how many seconds, as JSON. flood.py udp|tcp|file|channel TO RATE SECONDS [SOURCE]"""
import json, os, socket, sys, time

way, to, rate, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
source = sys.argv[5] if len(sys.argv) > 5 else None
LINE = b"<13>Nov 24 09:00:00 noisy app[1]: a line of a guest that says far too much"
MANY = 100


def opened():
    if way == "udp":
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((source, 0))
        sock.connect(("127.0.0.1", int(to)))
        return lambda: [sock.send(LINE) for _ in range(MANY)]
    if way == "tcp":
        sock = socket.create_connection(("127.0.0.1", int(to)), source_address=(source, 0))
        return lambda: sock.sendall((LINE + b"\n") * MANY)
    if way == "channel":
        # as a guest's device model has it: it listens, and what joins hears the guest
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(to)
        listener.listen(1)
        sock = listener.accept()[0]
        return lambda: sock.sendall((LINE + b"\n") * MANY)
    file = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return lambda: os.write(file, (LINE + b"\n") * MANY)


write = opened()
started = time.monotonic()
sent = 0
while (now := time.monotonic() - started) < seconds:
    if sent > now * rate:
        time.sleep(0.001)
        continue
    try:
        write()
        sent += MANY
    except ConnectionRefusedError:
        continue
print(json.dumps({"sent": sent, "seconds": time.monotonic() - started}))
