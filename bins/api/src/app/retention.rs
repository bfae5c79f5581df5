//! Retention as users see it: what would expire and why, pins, holds, and deletions taken back.
