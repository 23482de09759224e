//! What processes and cores have used, from `/proc`.

use std::fs;

/// `/proc` counts in hundredths of a second (USER_HZ, proc(5)) on every Linux that matters here.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds of a process and all its children that live.
pub(crate) fn cpu_seconds(process: u32) -> f64 {
    let ticks: u64 = tree(process).into_iter().filter_map(|id| ticks_of(id, [14, 15])).sum();
    ticks as f64 / TICKS_PER_SECOND
}

/// CPU seconds of the children of this program that have ended.
pub(crate) fn ended_children_seconds() -> f64 {
    let ticks = ticks_of(std::process::id(), [16, 17]).unwrap_or(0);
    ticks as f64 / TICKS_PER_SECOND
}

/// Seconds that all cores together were busy since the machine started.
pub(crate) fn busy_seconds() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let Some(line) = text.lines().next() else { return 0.0 };
    let columns: Vec<u64> =
        line.split_whitespace().skip(1).filter_map(|column| column.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guest time is in user already.
    let busy = [0, 1, 2, 5, 6, 7].iter().filter_map(|place| columns.get(*place)).sum::<u64>();
    busy as f64 / TICKS_PER_SECOND
}

/// Resident megabytes of a process and all its children.
pub(crate) fn resident_megabytes(process: u32) -> f64 {
    let kilobytes = |id: u32| -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    tree(process).into_iter().filter_map(kilobytes).sum::<u64>() as f64 / 1024.0
}

fn tree(process: u32) -> Vec<u32> {
    let mut found = vec![process];
    let mut next = 0;
    while let Some(id) = found.get(next).copied() {
        next += 1;
        let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else { continue };
        for thread in threads.flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
    }
    found
}

/// The sum of columns of `/proc/ID/stat`, counted from 1 as proc(5) does.
fn ticks_of(process: u32, columns: [usize; 2]) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second column is the program's name, which can have blanks and parentheses in it.
    let (_, rest) = stat.rsplit_once(')')?;
    let values: Vec<&str> = rest.split_whitespace().collect();
    columns.iter().map(|column| values.get(column - 3)?.parse::<u64>().ok()).sum()
}
