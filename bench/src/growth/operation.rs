//! What is measured at both sizes.

/// An operation. Users are asked for all over the tables unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    New,
    Returning,
    ReturningHot,
    Profile,
    ProfileHot,
    Profile20,
    Profile1000,
    ProfileAll,
    Page,
    Refresh,
    Sessions,
    Activate,
    WrongCode,
}

impl Operation {
    pub(super) const ALL: [Self; 13] = [
        Self::New,
        Self::Returning,
        Self::ReturningHot,
        Self::Profile,
        Self::ProfileHot,
        Self::Profile20,
        Self::Profile1000,
        Self::ProfileAll,
        Self::Page,
        Self::Refresh,
        Self::Sessions,
        Self::Activate,
        Self::WrongCode,
    ];

    /// As the table calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::New => "new user",
            Self::Returning => "returning user",
            Self::ReturningHot => "returning user, of 20 who come all the time",
            Self::Profile => "profile, no followers",
            Self::ProfileHot => "the same, asked again at once",
            Self::Profile20 => "profile, 20 followers",
            Self::Profile1000 => "profile, 1,000 followers",
            Self::ProfileAll => "profile, all users are followers",
            Self::Page => "100 of these, from deep in the list",
            Self::Refresh => "refresh",
            Self::Sessions => "list of sessions",
            Self::Activate => "activate an invite code",
            Self::WrongCode => "wrong code",
        }
    }

    /// How often it is done in a turn.
    pub(super) fn count(self) -> u64 {
        match self {
            Self::Profile1000 | Self::ProfileAll => 150,
            Self::Profile20 | Self::WrongCode => 500,
            _ => 250,
        }
    }

    /// Whether it writes to PostgreSQL.
    pub(super) fn writes(self) -> bool {
        matches!(
            self,
            Self::New | Self::Returning | Self::ReturningHot | Self::Refresh | Self::Activate
        )
    }
}
