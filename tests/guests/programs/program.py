"""Big integers, floating point, decimals, regular expressions, archives, threads and processes of Python."""
import bz2
import decimal
import fractions
import hashlib
import json
import lzma
import math
import random
import re
import struct
import subprocess
import threading
import zlib


def primes(limit):
    sieve = bytearray([1]) * limit
    for i in range(2, int(limit**0.5) + 1):
        if sieve[i]:
            sieve[i * i :: i] = bytes(len(range(i * i, limit, i)))
    return [i for i in range(2, limit) if sieve[i]]


found = primes(50000)
print(len(found), found[-1], sum(found))
print(hashlib.sha256(str(math.factorial(800)).encode()).hexdigest(), pow(3, 10**30, 10**30 + 57))
decimal.getcontext().prec = 60
print(decimal.Decimal(2).sqrt(), decimal.Decimal(1).exp())
print(sum(fractions.Fraction(1, i) for i in range(1, 60)))

random.seed(20)
values = [random.random() for _ in range(5000)]
print(repr(math.fsum(values)), repr(sum(values)), repr(min(values)), repr(max(values)))
print(' '.join(f'{f(0.37):.11f}' for f in (math.sin, math.cos, math.tan, math.exp, math.log, math.gamma, math.erf)))
print([round(x, 3) for x in sorted(values)[:5]], 5e-324, 1.7976931348623157e308, float('1e400'), -0.0)
print(struct.pack('<dfqhI', 1 / 3, 1 / 3, -(2**62), -2, 2**32 - 1).hex(), float.hex(0.1), (0.1).as_integer_ratio())
print(divmod(-7, 2), divmod(7.5, -2), -7 // 2, 7 % -3, math.fmod(-7, 3), round(2.5), round(3.5), int(-3.9))

data = json.dumps({str(i): [i, i / 8, str(i) * 3] for i in range(3000)}).encode()
for codec in (zlib, bz2, lzma):
    packed = codec.compress(data)
    print(codec.__name__, hashlib.md5(packed).hexdigest(), codec.decompress(packed) == data)
for name in sorted(hashlib.algorithms_guaranteed - {'shake_128', 'shake_256'}):
    print(name, hashlib.new(name, data).hexdigest())
print(len(re.findall(r'"(\d)(\d)\2\1"', data.decode())), zlib.crc32(data), zlib.adler32(data))

total = 0
lock = threading.Lock()


def add(count):
    global total
    for i in range(count):
        with lock:
            total += i


threads = [threading.Thread(target=add, args=(2000,)) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(total, subprocess.run(['echo', 'child'], capture_output=True, check=True).stdout)
try:
    [].pop()
except IndexError as error:
    print(type(error).__name__, error)
