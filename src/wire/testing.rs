//! Servers that speak TLS, in this process.

use tokio::net::{TcpListener, TcpStream};

use super::{Target, Trust};
pub(super) use crate::tls::authority::Authority;

impl Authority {
    pub(super) fn trust(&self) -> Trust {
        // Kept for as long as the tests run: one driver reads it later.
        let file = tempfile::NamedTempFile::new().expect("file").into_temp_path().keep().expect("file");
        std::fs::write(&file, &self.pem).expect("write");
        Trust::load(&file).expect("an authority")
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
