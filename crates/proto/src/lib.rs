//! The wire: code generated from proto/countersign/v1, checked in
