//! Disks that fail, disks that are full, `kill -9` and power losses, seen from the outside.

mod disk;
mod power;
mod storm;
