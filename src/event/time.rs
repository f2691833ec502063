//! Time as the judges see it: handed in, whole seconds, with the zone's offset beside it.

/// A second of wall-clock time and what the local zone added to it then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub seconds: i64,
    /// Seconds east of UTC of the local zone at that moment.
    pub offset: i32,
}

impl Stamp {
    /// A stamp in UTC.
    pub fn utc(seconds: i64) -> Self {
        Self { seconds, offset: 0 }
    }

    fn local(self) -> i64 {
        self.seconds.saturating_add(i64::from(self.offset))
    }

    /// Minute of the local day, 0 to 1439.
    pub fn minute_of_day(self) -> u16 {
        (self.local().rem_euclid(86_400) / 60) as u16
    }

    /// Local day of the week, Sunday 0 to Saturday 6.
    pub fn weekday(self) -> u8 {
        (self.local().div_euclid(86_400) + 4).rem_euclid(7) as u8
    }

    /// Hours since the epoch in local time; a change of it is a change of the hour.
    pub fn hour(self) -> i64 {
        self.local().div_euclid(3_600)
    }

    /// Local date and time: year, month (1–12), day (1–31), hour, minute, second.
    ///
    /// Days to a civil date after Howard Hinnant's `civil_from_days`.
    pub fn civil(self) -> (i64, u8, u8, u8, u8, u8) {
        let (days, rest) = (self.local().div_euclid(86_400), self.local().rem_euclid(86_400));
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u8;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 } as u8;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year, month, day, (rest / 3_600) as u8, (rest / 60 % 60) as u8, (rest % 60) as u8)
    }
}

/// English month names as log files and alerts write them.
pub const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_dates_agree_with_known_days() {
        assert_eq!(Stamp::utc(1_709_726_400).civil(), (2024, 3, 6, 12, 0, 0));
        assert_eq!(Stamp::utc(1_709_726_400).weekday(), 3);
        assert_eq!(Stamp::utc(951_782_399).civil(), (2000, 2, 28, 23, 59, 59));
        assert_eq!(Stamp { seconds: 951_782_399, offset: 1 }.civil(), (2000, 2, 29, 0, 0, 0));
        assert_eq!(Stamp::utc(-1).civil(), (1969, 12, 31, 23, 59, 59));
    }
}
