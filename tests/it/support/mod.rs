//! What the integration tests stand on.

#![allow(dead_code, reason = "shared tools; which tests use them changes")]

pub mod agents;
pub mod alertmanager;
pub mod app;
pub mod certificates;
pub mod cluster;
pub mod collector;
pub mod disk;
pub mod dns;
pub mod documents;
pub mod false_s3;
pub mod imap;
pub mod loki;
pub mod odd_target;
pub mod openapi;
pub mod process;
pub mod receiver;
pub mod room_rows;
pub mod s3;
pub mod smtp;
pub mod sse;
pub mod stand_in;
pub mod upstream;
pub mod vault;
pub mod wait;
pub mod watching;
