//! Times, durations and sizes as people read them.

use crate::control::Time;

/// A duration in its two largest units: `4s`, `3m 20s`, `5h 07m`, `3d 04h`.
pub fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{minutes}m {:02}s", seconds % 60),
        3_600..86_400 => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{days}d {:02}h", hours % 24),
    }
}

/// A moment as seen from now: `3m 20s ago`, `in 5h 07m`, `now`.
pub fn relative(moment: Time, now: Time) -> String {
    let distance = duration(moment.0.abs_diff(now.0));
    match moment.0.cmp(&now.0) {
        std::cmp::Ordering::Less => format!("{distance} ago"),
        std::cmp::Ordering::Equal => "now".to_owned(),
        std::cmp::Ordering::Greater => format!("in {distance}"),
    }
}

/// A moment in local time: `2026-11-24 21:37:20`.
pub fn absolute(moment: Time) -> String {
    let text = moment.to_string();
    match text.get(..19) {
        Some(date) => date.replacen('T', " ", 1),
        None => text,
    }
}

/// A size: `17 B`, `1.5 KiB`, `3.0 GiB`.
pub fn bytes(count: u64) -> String {
    let mut shown = count as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        if shown < 1_024.0 {
            break;
        }
        shown /= 1_024.0;
        unit = larger;
    }
    if unit == "B" { format!("{count} B") } else { format!("{shown:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        let shown = [0, 59, 60, 3_599, 3_600, 86_399, 86_400, 266_400].map(duration);
        assert_eq!(shown, ["0s", "59s", "1m 00s", "59m 59s", "1h 00m", "23h 59m", "1d 00h", "3d 02h"]);
        assert_eq!(relative(Time(100), Time(100)), "now");
        assert_eq!(relative(Time(100), Time(130)), "30s ago");
        assert_eq!(relative(Time(160), Time(100)), "in 1m 00s");
        relative(Time(i64::MIN), Time(i64::MAX));
    }

    #[test]
    fn sizes_and_moments() {
        assert_eq!([0, 1_023, 1_024, 1_572_864].map(bytes), ["0 B", "1023 B", "1.0 KiB", "1.5 MiB"]);
        bytes(u64::MAX);
        assert_eq!(absolute(Time(1_795_552_640)).len(), 19);
        absolute(Time(i64::MAX));
    }
}
