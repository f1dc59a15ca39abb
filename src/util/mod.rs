//! Small data structures: clock values, sparse list, generational slab, ring, timer wheel, buffers,
//! and the frames of WebSocket.
//!
//! All of them are plain single-threaded memory without a clock of their own: whoever owns one
//! passes time in and moves effects out. Nothing here allocates before its first use.

#[cfg(feature = "canary")]
pub mod canary;
pub mod clock;
pub mod compact;
#[cfg(feature = "broker")]
pub mod heap_end;
pub mod lazy;
pub mod outbuf;
pub mod pool;
pub mod ring;
pub mod rng;
pub mod set_aside;
pub mod shrink;
pub mod slab;
pub mod sparse;
pub mod websocket;
pub mod wheel;

pub use clock::Now;
pub use compact::{Compact, Home};
#[cfg(feature = "broker")]
pub use heap_end::give_back_heap_end;
pub use lazy::{Empty, Lazy};
pub use outbuf::OutBuf;
pub use pool::BufPool;
pub use ring::{Full, Limit, Limits, Ring};
pub use rng::Rng;
pub use set_aside::SetAside;
pub use shrink::Shrink;
pub use slab::{GenSlab, Key};
pub use sparse::Sparse;
pub use wheel::Wheel;
