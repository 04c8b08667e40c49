# The limit: what a loop in Python can do with a socket, packets prebuilt and of one length, nothing checked.
# Rule: see with_full.py. One write for each packet and one readinto for each; `window` packets are kept under way.
import socket
from time import ticks_diff, ticks_us

TOPIC = b"bench/topic"
CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05bench"


def link(url):
    host, port = url[7:].split(":")
    sock = socket.socket()
    sock.connect(socket.getaddrinfo(host, int(port))[0][-1])
    sock.write(CONNECT)
    sock.readinto(bytearray(4), 4)
    return sock


def packet(qos, payload):
    body = b"\x00\x0b" + TOPIC + (b"\x00\x01" if qos else b"") + payload
    n = len(body)
    length = bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7])
    return bytearray(bytes([0x30 | qos << 1]) + length + body)


def publish(url, qos, payload, count, window):
    sock = link(url)
    whole = packet(qos, payload)
    at = len(whole) - len(payload) - 1  # of the packet id
    ack = bytearray(4)
    release = bytearray(b"\x62\x02\x00\x01")
    write = sock.write
    readinto = sock.readinto
    begin = ticks_us()
    if not qos:
        for _ in range(count):
            write(whole)
    elif qos == 1:
        for i in range(window):
            whole[at] = i + 1
            write(whole)
        for _ in range(count - window):
            readinto(ack, 4)
            whole[at] = ack[3]
            write(whole)
        for _ in range(window):
            readinto(ack, 4)
    else:
        for i in range(window):
            whole[at] = i + 1
            write(whole)
        left = count - window
        done = 0
        while done < count:
            readinto(ack, 4)
            if ack[0] == 0x50:
                release[3] = ack[3]
                write(release)
            else:
                done += 1
                if left:
                    left -= 1
                    whole[at] = ack[3]
                    write(whole)
    took = ticks_diff(ticks_us(), begin)
    sock.close()
    return took


def receive(url, qos, size, bursts):
    sock = link(url)
    sock.write(b"\x82\x10\x00\x01\x00\x0b" + TOPIC + bytes([qos]))
    sock.readinto(bytearray(5), 5)
    buf = bytearray(packet(qos, bytes(size)))
    read = (read_0, read_1, read_2)[qos]
    seen = 0
    for end in bursts:
        read(sock, buf, len(buf) - size - 2, end - seen)
        seen = end
    sock.close()


def read_0(sock, buf, at, count):
    n = len(buf)
    readinto = sock.readinto
    for _ in range(count):
        readinto(buf, n)


def read_1(sock, buf, at, count):
    n = len(buf)
    ack = bytearray(b"\x40\x02\x00\x00")
    write = sock.write
    readinto = sock.readinto
    for _ in range(count):
        readinto(buf, n)
        ack[2] = buf[at]
        ack[3] = buf[at + 1]
        write(ack)


def read_2(sock, buf, at, count):
    rest = memoryview(buf)[4:]
    n = len(rest)
    ack = bytearray(b"\x50\x02\x00\x00")
    write = sock.write
    readinto = sock.readinto
    while count:
        readinto(buf, 4)
        if buf[0] == 0x62:
            ack[0] = 0x70
            ack[2] = buf[2]
            ack[3] = buf[3]
            count -= 1
        else:
            readinto(rest, n)
            ack[0] = 0x50
            ack[2] = buf[at]
            ack[3] = buf[at + 1]
        write(ack)
