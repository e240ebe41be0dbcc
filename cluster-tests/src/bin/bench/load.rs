//! A load of HTTP requests with a fixed concurrency, keep-alive connections, latencies kept.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::figures::{Sample, cpu_seconds};

/// Builds the request of a given number.
pub(crate) type Make = Arc<dyn Fn(&reqwest::Client, u64) -> reqwest::RequestBuilder + Send + Sync>;

/// Sends requests for a while and measures the CPU of the process that answers.
pub(crate) async fn run(pid: u32, concurrency: usize, seconds: f64, make: Make) -> Sample {
    let client = reqwest::Client::new();
    let number = Arc::new(AtomicU64::new(0));
    let failed = Arc::new(AtomicU64::new(0));
    // Connections are made before anything is measured.
    for _ in 0..concurrency.min(8) {
        drop(make(&client, number.fetch_add(1, Ordering::Relaxed)).send().await);
    }
    let cpu = cpu_seconds(pid);
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(seconds);
    let tasks: Vec<_> = (0..concurrency)
        .map(|_| {
            let (client, make) = (client.clone(), Arc::clone(&make));
            let (number, failed) = (Arc::clone(&number), Arc::clone(&failed));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while Instant::now() < until {
                    let sent = Instant::now();
                    let request = make(&client, number.fetch_add(1, Ordering::Relaxed));
                    let fine = match request.send().await {
                        Ok(answer) => {
                            let success = answer.status().is_success();
                            success && answer.bytes().await.is_ok()
                        }
                        Err(_) => false,
                    };
                    if !fine {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                    latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                latencies
            })
        })
        .collect();
    let mut sample = Sample::default();
    for task in tasks {
        sample.latencies_us.extend(task.await.unwrap_or_default());
    }
    sample.elapsed = began.elapsed();
    sample.count = sample.latencies_us.len() as u64;
    sample.failed = failed.load(Ordering::Relaxed);
    sample.cpu_s = cpu_seconds(pid) - cpu;
    sample
}
