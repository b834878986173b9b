//! Servers that speak TLS, in this process.

use std::io::Write;
use std::os::fd::AsRawFd;

use tokio::net::{TcpListener, TcpStream};

use super::{Target, Trust};
pub(super) use crate::tls::authority::Authority;

impl Authority {
    pub(super) fn trust(&self) -> Trust {
        // Without a name of its own, and open until the tests end: one driver reads it later, and nothing is left.
        let mut file = tempfile::tempfile().expect("file");
        file.write_all(self.pem.as_bytes()).expect("write");
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        std::mem::forget(file);
        Trust::load(path.as_ref()).expect("an authority")
    }

    /// The same server behind TLS, for one that trusts this authority.
    pub(super) async fn in_front_of(&self, server: &Target) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let (acceptor, behind) = (self.acceptor(), (server.host.clone(), server.port));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut server = TcpStream::connect(behind).await.expect("the server");
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
                });
            }
        });
        Target { port, tls: Some(self.trust()), ..server.clone() }
    }
}
