#!/bin/sh
# Common programs of busybox, in the empty directory given. What it prints is the same on every processor.
cd "$1" || exit 1
echo '== text'
seq 1 2000 >numbers
wc numbers
sort -rn numbers | head -n 3
awk '{ sum += $1; squares += $1 * $1 } END { print sum, squares, squares / NR }' numbers
awk 'BEGIN { for (i = 1; i < 12; i++) printf "%.9f %e %g %d\n", 1 / i, i * 1e300, i / 3, i % 4 }'
sed -n 's/^\(.*\)7\(.*\)$/\2-\1/p' numbers | sort | uniq -c | sort -k1nr -k2 | head -n 5
grep -c '9.*9' numbers
grep -E '^(1|22|333)+$' numbers | tr '\n' ' '
cut -c1-2 numbers | sort -u | wc -l
tr 0-9 a-j <numbers | tail -n 2
echo '== sums'
md5sum numbers
sha1sum numbers
sha256sum numbers
sha512sum numbers
echo '== archives'
mkdir tree && for i in 1 2 3 4 5 6 7 8; do head -n $((i * 100)) numbers >tree/$i; done
tar cf - tree | tar tf - | sort | tr '\n' ' '
tar cf tree.tar tree && mkdir copy && tar xf tree.tar -C copy && diff -r tree copy/tree && echo same
gzip -c numbers >numbers.gz && gunzip -c numbers.gz | cmp - numbers && echo same
lzop -c numbers | lzop -dc | cmp - numbers && echo same
echo '== arithmetic'
echo '2^200; scale=30; 2/7; sqrt(2); 3^50 % 1000007' | bc
echo '355 113 / p' | dc
printf '%d %x %o %s\n' 3000000000 3000000000 8 text
i=0 total=0
while [ $i -lt 5000 ]; do total=$(((total * 31 + i) % 1000003)) i=$((i + 1)); done
echo $total
echo '== processes'
for i in 1 2 3 4 5 6 7 8; do (echo $((i * i)) >out.$i) & done
wait
cat out.?
(kill -TERM $(sh -c 'echo $PPID'); sleep 5; echo not reached)
echo "status $?"
dd if=numbers of=blocks bs=100 skip=3 count=40 status=none && od -An -tx1 blocks | tail -n 2
# Archives have times in them.
find . -type f ! -name '*.tar' ! -name '*.gz' | sort | xargs cat | sha256sum
