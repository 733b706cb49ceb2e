//! How much memory this process may use: the machine's, or less if a control group of version 1 or 2 says so. Asked once,
//! at start, to make a number of bytes of a percentage.
#![expect(
    clippy::disallowed_methods,
    reason = "/proc and /sys are not data: they do not go through the disk"
)]

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Where one kind of control group keeps its limit.
struct Hierarchy {
    file_system: &'static str,
    /// Names the group in `/proc/self/cgroup`, and the mount among those of its file system. Version 2 has no names.
    controller: &'static str,
    limit_file: &'static str,
}

const HIERARCHIES: [Hierarchy; 2] = [
    Hierarchy { file_system: "cgroup2", controller: "", limit_file: "memory.max" },
    Hierarchy { file_system: "cgroup", controller: "memory", limit_file: "memory.limit_in_bytes" },
];

/// The least of all that limits this process; None if the kernel tells nothing.
pub fn available_bytes() -> Option<u64> {
    least(Path::new("/"))
}

/// The same with another root directory.
fn least(root: &Path) -> Option<u64> {
    let groups = HIERARCHIES.iter().filter_map(|hierarchy| group_limit(root, hierarchy));
    groups.chain(machine(root)).min()
}

fn machine(root: &Path) -> Option<u64> {
    let text = read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kib.checked_mul(1 << 10)
}

/// The least limit of the process' group and of those above it, as far as they can be seen from here.
fn group_limit(root: &Path, hierarchy: &Hierarchy) -> Option<u64> {
    let group = group_of_process(root, hierarchy)?;
    let (mounted_group, mount_point) = mount(root, hierarchy)?;
    // In a container the mount may begin at the container's own group, or show nothing of what /proc names.
    let below = Path::new(&group).strip_prefix(&mounted_group).unwrap_or(Path::new(""));
    let limit = |folder: &Path| {
        let folder = root.join(mount_point.strip_prefix("/").ok()?).join(folder);
        // "max" is no limit.
        read_to_string(folder.join(hierarchy.limit_file)).ok()?.trim().parse().ok()
    };
    below.ancestors().filter_map(limit).min()
}

/// From the lines `number:controllers:path`.
fn group_of_process(root: &Path, hierarchy: &Hierarchy) -> Option<String> {
    let text = read_to_string(root.join("proc/self/cgroup")).ok()?;
    text.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let is_it = controllers.split(',').any(|name| name == hierarchy.controller);
        is_it.then(|| path.to_string())
    })
}

/// Which group is mounted, and where. Lines of `mountinfo`: four fields, where it is mounted, and behind ` - ` the file
/// system, its source and its options.
fn mount(root: &Path, hierarchy: &Hierarchy) -> Option<(String, PathBuf)> {
    let text = read_to_string(root.join("proc/self/mountinfo")).ok()?;
    text.lines().find_map(|line| {
        let (mounted, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let is_it = kind.next() == Some(hierarchy.file_system)
            && (hierarchy.controller.is_empty()
                || kind.nth(1)?.split(',').any(|option| option == hierarchy.controller));
        let mut fields = mounted.split(' ').skip(3);
        let (group, point) = (fields.next()?, fields.next()?);
        is_it.then(|| (group.to_string(), PathBuf::from(point)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root directory with these files.
    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:       1000 kB\nMemFree: 1 kB\n");

    #[test]
    fn this_machine_has_memory() {
        assert!(available_bytes().unwrap() > 1 << 20);
    }

    #[test]
    fn without_groups_it_is_the_machines() {
        assert_eq!(least(root(&[MEMINFO]).path()), Some(1_024_000));
        assert_eq!(least(root(&[]).path()), None);
    }

    #[test]
    fn the_least_limit_of_the_groups_above_counts() {
        let mounts = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
        let root = root(&[
            MEMINFO,
            ("proc/self/mountinfo", mounts),
            ("proc/self/cgroup", "0::/system.slice/silverback.service\n"),
            ("sys/fs/cgroup/system.slice/silverback.service/memory.max", "max\n"),
            ("sys/fs/cgroup/system.slice/memory.max", "500000\n"),
            ("sys/fs/cgroup/memory.max", "700000\n"),
        ]);
        assert_eq!(least(root.path()), Some(500_000));
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root() {
        let mounts = "30 23 0:26 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let root = root(&[
            MEMINFO,
            ("proc/self/mountinfo", mounts),
            ("proc/self/cgroup", "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "300000\n"),
        ]);
        assert_eq!(least(root.path()), Some(300_000));
    }

    #[test]
    fn a_group_without_a_limit_of_version_1_has_more_than_the_machine() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        let root = root(&[
            MEMINFO,
            ("proc/self/mountinfo", mounts),
            ("proc/self/cgroup", "4:memory:/elsewhere\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ]);
        assert_eq!(least(root.path()), Some(1_024_000));
    }
}
