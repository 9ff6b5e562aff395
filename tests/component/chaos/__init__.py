"""Random faults over real sessions, and what must be true at the end.

**What is real**: kube-apiserver and etcd, the operator as a process with the rights of its chart, worker processes with
the tokens of their pods, Chromium, a directory behind a mount, an S3 and a MongoDB server. Played are the kubelet
(`node`: it starts the processes of the pods that the operator makes, restarts containers, ends deleted pods) and
WhatsApp Web (the simulator).

**What a fault is**: something that strikes at a moment, lasts for a while, and is restored; the table is in `faults`.
Kills of worker, browser and pod need no hand to restore them: kubelet and operator do. Servers come back on the same
port with the same files, a mount with the same content, a clock with the right time. Faults overlap as the seed has it.
A message comes to each session now and then, so that a profile that is older than another is one that the simulator
can tell.

**The schedule** is made from `WSO_SEED` before the run begins, printed, and printed again with what was done when a
check fails: the same seed gives the same faults at the same times, though not the same interleaving.

**What must be true**, for every session whose login was saved before the first fault:

1. During the whole run the simulator never sees two browsers on one login.
2. After the last restoration each is Connected without a code: the device that was linked at the beginning is on line
   and synced, no phone has linked another, and its page finds every checksum right.
3. Each status agrees with the simulator: phase Connected, state Connected, of a pod that exists, with the account that
   the simulator knows.
"""
