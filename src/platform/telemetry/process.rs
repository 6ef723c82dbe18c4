//! `holdfast_process_*`, the same as `process_*` (the names of Prometheus' own client libraries), and `holdfast_runtime_*`: resources of
//! the process and its tokio runtime, read at each scrape.

use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering},
};

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Unit,
};
use rustix::process::{Resource, getrlimit};

use super::Telemetry;

type Seconds = Gauge<f64, AtomicU64>;
/// Set to totals that others count.
type TotalSeconds = Counter<f64, AtomicU64>;

fn set(counter: &TotalSeconds, seconds: f64) {
    counter.inner().store(seconds.to_bits(), Ordering::Relaxed);
}

pub(super) fn register(telemetry: &Telemetry) {
    let (memory, descriptors, limit, threads) =
        (Gauge::<i64>::default(), Gauge::<i64>::default(), Gauge::<i64>::default(), Gauge::<i64>::default());
    let address_space = Gauge::<i64>::default();
    let (cpu, started) = (TotalSeconds::default(), Seconds::default());
    started.set(start_time().unwrap_or_default());
    telemetry.register("process", |registry| {
        registry.register_with_unit("resident_memory", "Resident memory of this process", Unit::Bytes, memory.clone());
        registry.register("open_file_descriptors", "Open file descriptors of this process", descriptors.clone());
        registry.register("max_file_descriptors", "Limit of open file descriptors of this process", limit.clone());
        registry.register("threads", "Threads of this process", threads.clone());
        registry.register_with_unit("cpu", "CPU time used by this process since its start", Unit::Seconds, cpu.clone());
        registry.register_with_unit("start_time", "Start of this process, Unix time", Unit::Seconds, started.clone());
    });
    telemetry.register_standard(|registry| {
        registry.register_with_unit("resident_memory", "Resident memory size", Unit::Bytes, memory.clone());
        registry.register_with_unit("virtual_memory", "Virtual memory size", Unit::Bytes, address_space.clone());
        registry.register("open_fds", "Number of open file descriptors", descriptors.clone());
        registry.register("max_fds", "Maximum number of open file descriptors", limit.clone());
        registry.register("threads", "Number of OS threads in the process", threads.clone());
        registry.register_with_unit("cpu", "Total user and system CPU time spent", Unit::Seconds, cpu.clone());
        registry.register_with_unit(
            "start_time",
            "Start time of the process since the Unix epoch",
            Unit::Seconds,
            started.clone(),
        );
    });
    telemetry.on_scrape(move || {
        if let Some(bytes) = resident_bytes() {
            memory.set(bytes);
        }
        if let Some(bytes) = bytes_of(0) {
            address_space.set(bytes);
        }
        if let Ok(dir) = fs::read_dir("/proc/self/fd") {
            descriptors.set(i64::try_from(dir.count()).unwrap_or(i64::MAX));
        }
        limit.set(getrlimit(Resource::Nofile).current.and_then(|n| i64::try_from(n).ok()).unwrap_or(i64::MAX));
        if let Some(stat) = Stat::read() {
            set(&cpu, stat.seconds(11) + stat.seconds(12));
            threads.set(i64::try_from(stat.0[17]).unwrap_or(i64::MAX));
        }
    });
    runtime(telemetry);
}

fn runtime(telemetry: &Telemetry) {
    let (workers, tasks, queue) = (Gauge::<i64>::default(), Gauge::<i64>::default(), Gauge::<i64>::default());
    let busy = TotalSeconds::default();
    telemetry.register("runtime", |registry| {
        registry.register("workers", "Worker threads of the tokio runtime", workers.clone());
        registry.register("alive_tasks", "Tasks that have not ended", tasks.clone());
        registry.register(
            "queue_depth",
            "Tasks in the global queue, waiting for any worker; excludes the workers' local queues",
            queue.clone(),
        );
        registry.register_with_unit("busy", "Time that all workers together were busy", Unit::Seconds, busy.clone());
    });
    telemetry.on_scrape(move || {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let metrics = runtime.metrics();
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        workers.set(count(metrics.num_workers()));
        tasks.set(count(metrics.num_alive_tasks()));
        queue.set(count(metrics.global_queue_depth()));
        set(&busy, (0..metrics.num_workers()).map(|n| metrics.worker_total_busy_duration(n).as_secs_f64()).sum());
    });
}

/// Resident memory of this process, bytes (second field of `/proc/self/statm`).
pub fn resident_bytes() -> Option<i64> {
    bytes_of(1)
}

/// A field of `/proc/self/statm`, converted from pages.
fn bytes_of(field: usize) -> Option<i64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = statm.split_whitespace().nth(field)?.parse().ok()?;
    Some(pages * i64::try_from(rustix::param::page_size()).ok()?)
}

/// The numbers of `/proc/self/stat` (proc(5)) from the fourth field on; negative ones as 0.
struct Stat(Vec<u64>);

impl Stat {
    fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The second field is the program's name in parentheses, which may contain spaces; the third is a letter.
        let fields: Vec<u64> =
            stat.rsplit_once(')')?.1.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect();
        (fields.len() > 20).then_some(Self(fields))
    }

    /// A field in clock ticks, as seconds.
    fn seconds(&self, field: usize) -> f64 {
        self.0[field] as f64 / rustix::param::clock_ticks_per_second() as f64
    }
}

/// Start of this process, Unix time: the boot time plus our start in ticks.
fn start_time() -> Option<f64> {
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = boot.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()?;
    Some(boot + Stat::read()?.seconds(19))
}
