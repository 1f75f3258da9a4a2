#!/usr/bin/env python3
"""Writes down, one line for each that is new, where packets on an interface want to go: recorder.py INTERFACE RECORD

  tcp 203.0.113.10 443
  dns 198.51.100.53 example.org
"""
import ipaddress
import socket
import struct
import sys

IPV4, IPV6 = 0x0800, 0x86DD
TCP, UDP, ICMPV6 = 6, 17, 58


def read(frame):
    kind = struct.unpack_from("!H", frame, 12)[0]
    packet = frame[14:]
    if kind == IPV4 and len(packet) >= 20:
        protocol, target, payload = packet[9], ipaddress.ip_address(packet[16:20]), packet[(packet[0] & 15) * 4:]
    elif kind == IPV6 and len(packet) >= 40:
        protocol, target, payload = packet[6], ipaddress.ip_address(packet[24:40]), packet[40:]
    else:
        return None
    # What the kernel says by itself about its own addresses.
    if target.is_multicast or protocol == ICMPV6:
        return None
    if protocol not in (TCP, UDP) or len(payload) < 8:
        return f"protocol-{protocol} {target} 0"
    port = struct.unpack_from("!H", payload, 2)[0]
    if protocol == UDP and port == 53:
        return f"dns {target} {name(payload[8:])}"
    return f"{'tcp' if protocol == TCP else 'udp'} {target} {port}"


def name(query):
    labels, at = [], 12
    while at < len(query) and query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace"))
        at += query[at] + 1
    return ".".join(labels) or "?"


def main():
    interface, record = sys.argv[1:]
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
    wire.bind((interface, 0))
    seen = set()
    with open(record, "w", encoding="ascii", buffering=1) as lines:
        while True:
            frame, origin = wire.recvfrom(65535)
            # 4: what this end itself would send.
            line = None if origin[2] == 4 or len(frame) < 34 else read(frame)
            if line and line not in seen:
                seen.add(line)
                lines.write(line + "\n")


main()
