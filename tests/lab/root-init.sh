#!/usr/bin/busybox sh
# The lab's first process. Its root is a read-only ext4 image: this puts a writable overlay over it
# and goes on with the job, a shell script that the runner wrote to the last NVMe namespace (job.ts).
export PATH=/usr/local/bin:/usr/bin:/usr/sbin
mount -t proc proc /proc
insmod "/usr/lib/modules/$(uname -r)/kernel/fs/overlayfs/overlay.ko"
mount -t tmpfs -o size=90% layers /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work lab /mnt/root
umount /proc
mount -t devtmpfs dev /mnt/root/dev
cd /mnt/root && mkdir .old && pivot_root . .old
exec chroot . /usr/bin/busybox sh /dev/nvme0n5 </dev/console >/dev/console 2>&1
