//! `holdfast_cgroup_*`: limits and usage of the control group of this process (a container, a systemd unit), including PostgreSQL with the
//! private cluster. Reads version 2 (Linux: Documentation/admin-guide/cgroup-v2.rst) and version 1 of the memory controller at each scrape.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Unit,
};

use super::Telemetry;

type Number = Gauge<f64, AtomicU64>;

pub(super) fn register(telemetry: &Telemetry) {
    let (limit, usage, throttled) = (Number::default(), Number::default(), Counter::<f64, AtomicU64>::default());
    let killed = Counter::<u64>::default();
    telemetry.register("cgroup", |registry| {
        registry.register_with_unit(
            "memory_limit",
            "Memory limit of this process's control group; the host's memory if there is no limit",
            Unit::Bytes,
            limit.clone(),
        );
        registry.register_with_unit(
            "memory_usage",
            "Memory used by the control group, without reclaimable file cache; NaN if the process has no control group of its own",
            Unit::Bytes,
            usage.clone(),
        );
        registry.register(
            "oom_kills",
            "Processes of the control group killed by the kernel because memory ran out",
            killed.clone(),
        );
        registry.register_with_unit(
            "cpu_throttled",
            "Time the control group was throttled by its CPU limit",
            Unit::Seconds,
            throttled.clone(),
        );
    });
    let group = Group::of_this_process();
    telemetry.on_scrape(move || {
        let read = group.as_ref().map(Group::read).unwrap_or_default();
        let host = host_memory();
        let most = [read.limit, host].into_iter().flatten().min();
        limit.set(most.map_or(f64::NAN, |bytes| bytes as f64));
        usage.set(read.usage.map_or(f64::NAN, |bytes| bytes as f64));
        killed.inner().store(read.killed, Ordering::Relaxed);
        throttled.inner().store(read.throttled_seconds.to_bits(), Ordering::Relaxed);
    });
}

/// `MemTotal` of `/proc/meminfo`, bytes.
fn host_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Where to read the figures.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    files: &'static Files,
    /// Folders of the memory controller: the process's own first, then its visible parents.
    memory: Vec<PathBuf>,
    /// Folder of the CPU controller.
    cpu: Option<PathBuf>,
}

/// File names of one version of the interface.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    limit: &'static str,
    usage: &'static str,
    /// Fields of `memory.stat` that the kernel reclaims before it kills a process, mainly file cache. The index and backups keep much of it
    /// in use, which must not raise an alarm.
    cache: &'static [&'static str],
    events: &'static str,
    throttled: &'static str,
    throttled_unit: u64,
}

const V2: Files = Files {
    limit: "memory.max",
    usage: "memory.current",
    cache: &["inactive_file", "active_file", "slab_reclaimable"],
    events: "memory.events",
    throttled: "throttled_usec",
    throttled_unit: 1_000_000,
};
const V1: Files = Files {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    cache: &["total_inactive_file", "total_active_file"],
    events: "memory.oom_control",
    throttled: "throttled_time",
    throttled_unit: 1_000_000_000,
};

#[derive(Debug, Default, PartialEq)]
struct Read {
    limit: Option<u64>,
    usage: Option<u64>,
    killed: u64,
    throttled_seconds: f64,
}

impl Group {
    fn of_this_process() -> Option<Self> {
        let read = |file: &str| fs::read_to_string(Path::new("/proc/self").join(file)).ok();
        Self::find(&read("cgroup")?, &read("mountinfo")?)
    }

    /// Parses `/proc/self/cgroup` and `/proc/self/mountinfo` (proc(5)).
    fn find(membership: &str, mounts: &str) -> Option<Self> {
        let path_in = |controller: &str| {
            membership.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                let (controllers, path) = (parts.next()?, parts.next()?);
                controllers.split(',').any(|c| c == controller).then_some(path)
            })
        };
        if let Some(path) = path_in("memory") {
            let memory = folders(mounts, "cgroup", "memory", path)?;
            let cpu = path_in("cpu").and_then(|path| folders(mounts, "cgroup", "cpu", path)?.into_iter().next());
            return Some(Self { files: &V1, memory, cpu });
        }
        let memory = folders(mounts, "cgroup2", "", path_in("")?)?;
        let cpu = memory.first().cloned();
        Some(Self { files: &V2, memory, cpu })
    }

    fn read(&self) -> Read {
        let limit_of = |folder: &PathBuf| {
            let limit = number(&folder.join(self.files.limit))?;
            // Version 1 writes "no limit" as the largest multiple of a page.
            (limit < 1 << 60).then_some(limit)
        };
        let limits = self.memory.iter().filter_map(|folder| Some((limit_of(folder)?, folder)));
        let tightest = limits.min_by_key(|(limit, _)| *limit);
        // Usage is compared with the limit of the same group.
        let of = tightest.map_or_else(|| self.memory.first(), |(_, folder)| Some(folder));
        let usage = of.and_then(|folder| {
            let stat = folder.join("memory.stat");
            let cache: u64 = self.files.cache.iter().filter_map(|name| field(&stat, name)).sum();
            Some(number(&folder.join(self.files.usage))?.saturating_sub(cache))
        });
        let killed = of.and_then(|folder| field(&folder.join(self.files.events), "oom_kill")).unwrap_or_default();
        let throttled = self.cpu.as_ref().and_then(|folder| field(&folder.join("cpu.stat"), self.files.throttled));
        let throttled_seconds = throttled.unwrap_or_default() as f64 / self.files.throttled_unit as f64;
        Read { limit: tightest.map(|(limit, _)| limit), usage, killed, throttled_seconds }
    }
}

/// The folder of `path` in the hierarchy of `controller`, and its parents up to the mount point.
fn folders(mounts: &str, kind: &str, controller: &str, path: &str) -> Option<Vec<PathBuf>> {
    let (root, mount) = mounts.lines().find_map(|line| {
        let (place, source) = line.split_once(" - ")?;
        let mut source = source.split(' ');
        let options = (source.next()? == kind).then(|| source.nth(1))??;
        (controller.is_empty() || options.split(',').any(|option| option == controller)).then_some(())?;
        let mut place = place.split(' ').skip(3);
        Some((place.next()?, PathBuf::from(place.next()?)))
    })?;
    // In a cgroup namespace the path may start above the mount; then the mount point is the group.
    let below = path.strip_prefix(root.trim_end_matches('/')).unwrap_or_default().trim_start_matches('/');
    let own = if below.split('/').any(|part| part == "..") { mount.clone() } else { mount.join(below) };
    Some(own.ancestors().take_while(|folder| folder.starts_with(&mount)).map(Path::to_owned).collect())
}

/// A file with a single number; `max` is `None`.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The number after `name` at the start of a line.
fn field(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.split_once(' ').filter(|(key, _)| *key == name)?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
    }

    #[test]
    fn a_container_of_version_2_has_its_own_limit_or_that_of_the_group_above() {
        let dir = tempfile::tempdir().unwrap();
        let mount = dir.path().display();
        let mounts = format!(
            "22 28 0:20 / /proc rw,nosuid shared:5 - proc proc rw\n\
             30 23 0:26 / {mount} rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
        );
        let group = Group::find("0::/system.slice/holdfast.service\n", &mounts).unwrap();
        let own = dir.path().join("system.slice/holdfast.service");
        let stat =
            "anon 52428800\nfile 31457280\ninactive_file 20971520\nactive_file 10485760\nslab_reclaimable 1048576\n";
        write(
            &own,
            &[
                ("memory.max", "max\n"),
                ("memory.current", "104857600\n"),
                ("memory.stat", stat),
                ("memory.events", "low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n"),
                ("cpu.stat", "usage_usec 5\nnr_periods 10\nnr_throttled 3\nthrottled_usec 2500000\n"),
            ],
        );
        let expected = Read { limit: None, usage: Some(72_351_744), killed: 1, throttled_seconds: 2.5 };
        assert_eq!(group.read(), expected);
        fs::write(own.join("memory.max"), "536870912\n").unwrap();
        assert_eq!(group.read().limit, Some(536_870_912));
        write(own.parent().unwrap(), &[("memory.max", "268435456\n"), ("memory.current", "200000000\n")]);
        let read = group.read();
        assert_eq!(
            (read.limit, read.usage),
            (Some(268_435_456), Some(200_000_000)),
            "the tightest, with what is held against it"
        );
    }

    #[test]
    fn a_container_sees_its_group_as_the_root_and_the_hosts_root_has_no_figures() {
        let dir = tempfile::tempdir().unwrap();
        let mounts = format!("30 23 0:26 / {} ro - cgroup2 cgroup rw\n", dir.path().display());
        for membership in ["0::/\n", "0::/../../other\n"] {
            let group = Group::find(membership, &mounts).unwrap();
            assert_eq!(group.memory, [dir.path()]);
            assert_eq!(group.read(), Read::default());
        }
    }

    #[test]
    fn version_1_is_read_too() {
        let dir = tempfile::tempdir().unwrap();
        let (memory, cpu) = (dir.path().join("memory"), dir.path().join("cpu,cpuacct"));
        let mounts = format!(
            "33 32 0:29 /docker/abc {} ro shared:14 - cgroup cgroup rw,memory\n34 32 0:30 /docker/abc {} ro - cgroup cgroup rw,cpu,cpuacct\n",
            memory.display(),
            cpu.display()
        );
        let group = Group::find("9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/docker/abc\n", &mounts).unwrap();
        write(
            &memory,
            &[
                ("memory.limit_in_bytes", "9223372036854771712\n"),
                ("memory.usage_in_bytes", "104857600\n"),
                (
                    "memory.stat",
                    "inactive_file 1\nactive_file 1\ntotal_inactive_file 4000000\ntotal_active_file 857600\n",
                ),
                ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
            ],
        );
        write(&cpu, &[("cpu.stat", "nr_periods 1\nnr_throttled 1\nthrottled_time 1500000000\n")]);
        let expected = Read { limit: None, usage: Some(100_000_000), killed: 2, throttled_seconds: 1.5 };
        assert_eq!(group.read(), expected);
        fs::write(memory.join("memory.limit_in_bytes"), "536870912\n").unwrap();
        assert_eq!(group.read().limit, Some(536_870_912));
    }
}
