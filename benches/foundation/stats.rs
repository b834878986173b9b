//! Medians and percentiles.

use std::time::Duration;

pub fn percentile(times: &mut [Duration], p: f64) -> Duration {
    times.sort_unstable();
    let at = ((times.len() as f64 * p).ceil() as usize).clamp(1, times.len()) - 1;
    times[at]
}

pub fn median(times: &[Duration]) -> Duration {
    percentile(&mut times.to_vec(), 0.5)
}

pub fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
