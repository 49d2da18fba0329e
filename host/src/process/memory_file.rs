//! Anonymous files in memory.

use std::fs::File;
use std::io;

use rustix::fs::{MemfdFlags, memfd_create};

/// Creates an empty anonymous file (memfd_create(2)). `name` is for people who look into `/proc`. Its memory is freed when
/// neither a descriptor nor the kernel uses it any more. Does not block.
pub fn create_memory_file(name: &str) -> io::Result<File> {
    // Kernels before 6.3 do not know the flag, and later ones may require it (sysctl `vm.memfd_noexec`).
    let create = |flags| memfd_create(name, MemfdFlags::CLOEXEC | flags);
    Ok(create(MemfdFlags::NOEXEC_SEAL).or_else(|_| create(MemfdFlags::empty()))?.into())
}
