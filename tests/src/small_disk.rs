//! A disk that is soon full.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::or_fail::OrFail as _;
use crate::tools;

/// A small disk of its own, unmounted when dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of this size (`256m`). `None` where this user may not mount, after printing so.
    pub fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).or_fail("make a place to mount");
        let size = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(at.to_owned())),
            _ => {
                tools::skip("this user may not mount a small disk");
                None
            }
        }
    }

    /// Its mount point.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
