#!/usr/bin/busybox sh
# The first process of the guest with Debian's programs: a shell on the console.
export PATH=/usr/bin:/usr/sbin HOME=/root TERM=dumb PS1='vireo:\w# '
busybox mount -t devtmpfs dev /dev
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t tmpfs tmp /tmp
busybox stty -echo
echo 'default guest of the tests, with programs of Debian'
cd /root
exec busybox setsid busybox cttyhack busybox sh
