//! How a server takes dates in requests.

use chrono::{DateTime, FixedOffset, Utc};

/// How a server takes dates in requests. Their meaning changed with 4.20 (pull request
/// 8243): instants with an offset are exact from then on; before, the server read wall-clock
/// times of `usage.aggregation.timezone`, and dropped the time of any other form in silence.
///
/// ```
/// use chrono::DateTime;
/// use cloudstack_usage::DateDialect;
///
/// let instant = DateTime::from_timestamp(1_790_812_800, 0).unwrap();
/// let new = DateDialect::for_version("4.23.0.0", 120);
/// assert_eq!(new.format(instant), "2026-10-01T00:00:00+0000");
/// let old = DateDialect::for_version("4.19.3.0", 120);
/// assert_eq!(old.format(instant), "2026-10-01 02:00:00");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateDialect {
    /// 4.20 and later: `yyyy-MM-ddTHH:mm:ss+0000`.
    #[default]
    Absolute,
    /// Up to 4.19: `yyyy-MM-dd HH:mm:ss` in the aggregation time zone, by its offset from
    /// UTC. Of a zone with summer time give either offset: the client asks for a day more
    /// on both sides.
    WallClock {
        /// Minutes east of UTC.
        offset_minutes: i32,
    },
}

impl DateDialect {
    /// The dialect of a version as `listCapabilities` gives it (`4.19.1.0`).
    /// `offset_minutes` is that of the aggregation time zone (0 unless it was set), which
    /// matters to old versions alone. A text that is no version is taken for a new one.
    pub fn for_version(version: &str, offset_minutes: i32) -> Self {
        let mut parts = version.trim().split(['.', '-']).map(str::parse::<u32>);
        match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) if (major, minor) < (4, 20) => {
                Self::WallClock { offset_minutes }
            }
            _ => Self::Absolute,
        }
    }

    /// The instant as this dialect writes it.
    pub fn format(self, instant: DateTime<Utc>) -> String {
        match self {
            Self::Absolute => instant.format("%Y-%m-%dT%H:%M:%S+0000").to_string(),
            Self::WallClock { offset_minutes } => {
                let offset = offset_minutes
                    .checked_mul(60)
                    .and_then(FixedOffset::east_opt)
                    .unwrap_or_else(|| chrono::Offset::fix(&Utc));
                let local = instant.with_timezone(&offset);
                local.format("%Y-%m-%d %H:%M:%S").to_string()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_divide_at_4_20() {
        let old = DateDialect::WallClock { offset_minutes: 0 };
        for (version, expected) in [
            ("4.11.0.0", old),
            ("4.19.3.0", old),
            ("4.9.3.1-SNAPSHOT", old),
            ("4.20.0.0", DateDialect::Absolute),
            ("4.23.0.0-SNAPSHOT", DateDialect::Absolute),
            ("5.0", DateDialect::Absolute),
            ("unknown", DateDialect::Absolute),
        ] {
            assert_eq!(DateDialect::for_version(version, 0), expected, "{version}");
        }
    }
}
