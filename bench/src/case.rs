//! What is measured, and of which parts each case cannot do without.

use clap::ValueEnum;

use crate::floor::Part;

/// What `--only` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Topic {
    /// A new user by REST: code, sign-in, profile
    New,
    /// A known user by REST: the same
    Returning,
    /// A profile with 20 followers by REST
    Profile20,
    /// A profile with 1,000 followers by REST
    Profile1000,
    /// A wrong code by REST
    WrongCode,
    /// A new user by gRPC
    GrpcNew,
    /// A known user by gRPC
    GrpcReturning,
    /// A profile with 20 followers by gRPC
    GrpcProfile20,
    /// Journeys at a fixed rate
    Open,
    /// 10,000 requests for a code at one moment
    Crowd,
    /// What the processes hold that have nothing to do
    Idle,
}

/// A closed loop that is measured beside its floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    New,
    Returning,
    Profile20,
    Profile1000,
    WrongCode,
    GrpcNew,
    GrpcReturning,
    GrpcProfile20,
}

impl Case {
    pub(crate) const ALL: [Self; 8] = [
        Self::New,
        Self::Returning,
        Self::Profile20,
        Self::Profile1000,
        Self::WrongCode,
        Self::GrpcNew,
        Self::GrpcReturning,
        Self::GrpcProfile20,
    ];

    /// Those that are asked for; all, if nothing is.
    pub(crate) fn among(only: &[Topic]) -> Vec<Self> {
        let wanted = |case: &Self| only.is_empty() || only.contains(&case.topic());
        Self::ALL.into_iter().filter(wanted).collect()
    }

    /// What `--only` calls it.
    pub(crate) fn topic(self) -> Topic {
        match self {
            Self::New => Topic::New,
            Self::Returning => Topic::Returning,
            Self::Profile20 => Topic::Profile20,
            Self::Profile1000 => Topic::Profile1000,
            Self::WrongCode => Topic::WrongCode,
            Self::GrpcNew => Topic::GrpcNew,
            Self::GrpcReturning => Topic::GrpcReturning,
            Self::GrpcProfile20 => Topic::GrpcProfile20,
        }
    }

    /// As the table and the plots call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::New => "new user",
            Self::Returning => "returning user",
            Self::Profile20 => "profile, 20 followers",
            Self::Profile1000 => "profile, 1,000 followers",
            Self::WrongCode => "wrong code",
            Self::GrpcNew => "new user, gRPC",
            Self::GrpcReturning => "returning user, gRPC",
            Self::GrpcProfile20 => "profile, 20 followers, gRPC",
        }
    }

    /// The names of its steps.
    pub(crate) fn steps(self) -> &'static [&'static str] {
        match self {
            Self::New | Self::Returning => &["POST auths", "PATCH auths", "GET personal-area"],
            Self::Profile20 | Self::Profile1000 => &["GET personal-area"],
            Self::WrongCode => &["PATCH auths"],
            Self::GrpcNew | Self::GrpcReturning => &["RequestCode", "VerifyCode", "GetProfile"],
            Self::GrpcProfile20 => &["GetProfile"],
        }
    }

    /// How many times its floor it may cost.
    pub(crate) fn target(self) -> Option<f64> {
        match self {
            Self::New => Some(1.5),
            Self::Returning | Self::Profile20 | Self::Profile1000 | Self::WrongCode => Some(1.3),
            Self::GrpcNew | Self::GrpcReturning | Self::GrpcProfile20 => None,
        }
    }

    /// What it cannot do without, and how often: the floor is their sum.
    ///
    /// One HTTP answer and one gRPC hop for each request; of the stores what
    /// was asked for; one signature where a token is made and one check where
    /// it is used. A first sign-in writes a user, a session and a profile: they
    /// are three rows of one transaction here, though the product keeps them in
    /// two databases and has one more hop between them.
    pub(crate) fn floor(self) -> Vec<(Part, u32)> {
        let rest = [(Part::Http, 3), (Part::Hop, 3), (Part::RedisBare, 1)];
        let grpc = [(Part::Call, 3), (Part::RedisNamed, 1)];
        match self {
            Self::New => sign_in(&rest, Part::SqlThreeRows),
            Self::Returning => sign_in(&rest, Part::SqlReturning),
            Self::Profile20 => profile(&[Part::Http20, Part::Hop20], Part::SqlProfile20),
            Self::Profile1000 => profile(&[Part::Http1000, Part::Hop1000], Part::SqlProfile1000),
            Self::WrongCode => vec![(Part::Http, 1), (Part::Hop, 1), (Part::RedisWrong, 1)],
            Self::GrpcNew => sign_in(&grpc, Part::SqlThreeRows),
            Self::GrpcReturning => sign_in(&grpc, Part::SqlReturning),
            Self::GrpcProfile20 => profile(&[Part::Call20], Part::SqlProfile20),
        }
    }

    /// The same with everything that the product's stores do beyond it: their
    /// pools and their care for outages, and the sign-in of a new user in its own
    /// statements and transactions, with one hop more. What is above this is in
    /// the hops, and in what is done between the steps.
    pub(crate) fn own_steps(self) -> Vec<(Part, u32)> {
        let mut parts = self.floor();
        for (part, _) in &mut parts {
            *part = match *part {
                Part::SqlThreeRows => Part::StoreNew,
                Part::SqlReturning => Part::StoreReturning,
                Part::SqlProfile => Part::StoreProfile,
                Part::SqlProfile20 => Part::StoreProfile20,
                Part::SqlProfile1000 => Part::StoreProfile1000,
                other => other,
            };
        }
        if matches!(self, Self::New | Self::GrpcNew) {
            parts.push((Part::Hop, 1));
        }
        parts
    }

    /// The parts that are measured for these cases, each once.
    pub(crate) fn parts_of(cases: &[Self]) -> Vec<Part> {
        let mut parts = Vec::new();
        for case in cases {
            let own = case.own_steps();
            for (part, _) in case.floor().into_iter().chain(own) {
                if !parts.contains(&part) {
                    parts.push(part);
                }
            }
        }
        parts
    }
}

/// A whole journey that comes `way` and writes so: a token is made, and used once.
fn sign_in(way: &[(Part, u32)], written: Part) -> Vec<(Part, u32)> {
    let each = [written, Part::Sign, Part::Verify, Part::SqlProfile];
    let way = way.iter().copied();
    way.chain(each.map(|part| (part, 1))).collect()
}

/// A profile that is asked for and answered over `way`.
fn profile(way: &[Part], read: Part) -> Vec<(Part, u32)> {
    let way = way.iter().copied();
    way.chain([Part::Verify, read])
        .map(|part| (part, 1))
        .collect()
}
