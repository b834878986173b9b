//! Things that change behind our back.
