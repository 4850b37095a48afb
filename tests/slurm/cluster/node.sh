#!/bin/bash
# node.sh NODE FOLDER [PATH...]: the first process of a node, in UTS, mount and PID namespaces of its own. It makes
# them look like a machine, then only waits, and reaps. To kill it is to cut the power.
# With PATHs each node has its own /tmp, /dev/shm and /run, in which only these PATHs are shared with all.
set -e
node=$1 folder=$2
shift 2
hostname "$node"
mount --make-rprivate /
for file in hosts hostname machine-id; do
    [ ! -e /etc/$file ] || mount --bind "$folder/etc/$file" /etc/$file
done
mount --bind "$folder/etc/boot_id" /proc/sys/kernel/random/boot_id

# sysfs refuses new directories: so /sys becomes a tmpfs with everything bound into it, and the counters beside.
sys=$folder/newsys
mkdir -p "$sys"
mount -t tmpfs tmpfs "$sys"
for entry in /sys/* /sys/class/*; do
    name=${entry#/sys/}
    case $name in class | class/powercap | cray) continue ;; esac
    mkdir -p "$sys/$name"
    mount --rbind "$entry" "$sys/$name"
done
mkdir -p "$sys/class/powercap" "$sys/cray"
mount --bind "$folder/counters/powercap" "$sys/class/powercap"
mount --bind "$folder/counters/cray" "$sys/cray"
mount --rbind "$sys" /sys

if [ $# -gt 0 ]; then
    tmp=$folder/tmp
    mkdir -p -m 1777 "$tmp"
    for path; do
        case $path in /tmp/*)
            mkdir -p "$tmp/${path#/tmp/}"
            mount --rbind "$path" "$tmp/${path#/tmp/}" ;;
        esac
    done
    mount --rbind "$tmp" /tmp
    mount -t tmpfs tmpfs /dev/shm
    mount -t tmpfs -o mode=755 tmpfs /run
fi
: >"$folder/ready"
trap : TERM INT HUP
while :; do
    sleep 3600 &
    wait $! || :
done
