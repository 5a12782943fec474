//! Which thread gets which sockets, and their start.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use rustls::ServerConfig;

use super::settings::Settings;
use super::sockets::Place;
use super::{Handle, Sockets, Transport, encrypted, quic, tcp, tls, udp};

/// Starts all threads. When this returns, they answer.
pub(super) fn launch(mut handle: Handle, sockets: Sockets, settings: &Settings) -> io::Result<Handle> {
    let workers = settings.worker_count();
    let Sockets { places, tls, quic } = sockets;
    let mut listeners = deal(workers);
    for place in places {
        let place = place.share(workers)?;
        for (number, socket) in place.udp.into_iter().enumerate() {
            udp::prepare(&socket, settings.udp_buffer_size)?;
            let (answers, stop) = (handle.answers(Transport::Udp), Arc::clone(&handle.stop));
            handle.spawn(format!("dns udp {number}"), move || udp::serve(&socket, answers, &stop))?;
        }
        for (number, listener) in place.tcp.into_iter().enumerate() {
            listeners[number % workers].push(listener);
        }
    }
    for (number, listeners) in listeners.into_iter().enumerate() {
        let server = tcp::Server::new(listeners, handle.answers(Transport::Tcp), settings.tcp.clone())?;
        let stop = Arc::clone(&handle.stop);
        handle.spawn(format!("dns tcp {number}"), move || server.serve(&stop))?;
    }
    let (ready, started) = sync_channel(workers + 1);
    let mut starting = 0;
    let names = settings.encrypted.as_ref().map(|encrypted| encrypted.wanted()).unwrap_or_default();
    if !tls.is_empty() {
        let config = encrypted::over_tls(Arc::clone(&handle.snapshots), names.clone()).map_err(io::Error::other)?;
        starting += over_tls(&mut handle, share(tls, workers)?, Arc::new(config), settings, &ready)?;
    }
    if !quic.is_empty() {
        let config = encrypted::over_quic(Arc::clone(&handle.snapshots), names).map_err(io::Error::other)?;
        let (answers, stop) = (handle.answers(Transport::Quic), handle.stop_streams.listen());
        let server = quic::Server { sockets: quic, answers, limits: settings.tcp.clone(), tls: config, stop };
        let ready = ready.clone();
        handle.spawn("dns quic".into(), move || server.serve(&ready))?;
        starting += 1;
    }
    drop(ready);
    started.iter().take(starting).collect::<io::Result<()>>()?;
    Ok(handle)
}

/// A thread for each worker with its listeners; how many.
fn over_tls(
    handle: &mut Handle,
    listeners: Vec<Vec<TcpListener>>,
    config: Arc<ServerConfig>,
    settings: &Settings,
    ready: &SyncSender<io::Result<()>>,
) -> io::Result<usize> {
    let workers = listeners.len();
    for (number, listeners) in listeners.into_iter().enumerate() {
        let (ready, stop, tls) = (ready.clone(), handle.stop_streams.listen(), Arc::clone(&config));
        let (answers, limits) = (handle.answers(Transport::Tls), settings.tcp.clone());
        let server = tls::Server { listeners, answers, limits, tls, stop };
        handle.spawn(format!("dns tls {number}"), move || server.serve(&ready))?;
    }
    Ok(workers)
}

fn deal<T>(workers: usize) -> Vec<Vec<T>> {
    (0..workers).map(|_| Vec::new()).collect()
}

/// The listeners of each worker.
fn share(places: Vec<Place>, workers: usize) -> io::Result<Vec<Vec<TcpListener>>> {
    let mut listeners = deal(workers);
    for place in places {
        for (number, listener) in place.share(workers)?.tcp.into_iter().enumerate() {
            listeners[number % workers].push(listener);
        }
    }
    Ok(listeners)
}
