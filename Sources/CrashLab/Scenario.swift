public import Interprocess
public import SystemPackage

/// One operation that is killed, and everything that must hold then.
///
/// ```swift
/// Scenario("queue.send", "a sender killed in send", segments: ["q"]) { site in
///     let receiving = try Receiving(site)                  // lives through all kills
///     return Survivor(goOn: { try receiving.takeEverythingOfTheDead() })
/// } victim: { victim in
///     var sender = try Sender<Numbered>(to: "q", options: victim.site.options)
///     try sender.send(Numbered(0))                         // once before, so that everything is bound
///     try victim.step { try sender.send(Numbered(1)) }     // killed in here
/// }
/// ```
///
/// Every closure runs in a process of its own, forked from one that has not used the library.
public struct Scenario: Sendable {
    public let name: String
    public let summary: String
    /// The files of the site's directory that hold the shared state: they are watched for changes, and scribbled over.
    public var segments: [String]
    /// How many bytes of each of them, from the beginning on.
    public var watchedBytes = Int.max
    /// Whether calls of the runtime and the C library are stepped through as well. They must start no threads then.
    public var stepsIntoCalls: Bool
    /// Whether the victim's operation is a wait, in which it is killed asleep.
    public var victimWaits: Bool
    /// Whether the operation makes no sense without the sleepers.
    public var needsSleepers: Bool
    /// Makes the shared state, and stays through the kills of many victims.
    public var survivor: @Sendable (Site) throws -> Survivor
    /// The operation, inside of ``Victim/step(_:)``.
    public var victim: @Sendable (Victim) throws -> Void
    /// Whether the library's own thread of the victim is stepped, and not the one that does the operation.
    public var stepsKeeper = false
    /// How many victims there are, each killed at the same point of its own operation. More than one only with ``stepsKeeper``: they die one after the
    /// other, each in what it does about the death of the one before. The survivor is stopped (SIGSTOP) until all of them are dead.
    public var victims = 1
    /// Whether the victim's operation can be made again when it has thrown: a system call's failure must leave nothing behind that prevents it.
    public var canRepeat = true
    /// Modes that make no sense for this scenario although it has what they need.
    public var excluded: Set<Mode> = []
    /// A process that calls ``Bystander/die()`` before the victim begins; with ``stepsKeeper``, when it has begun.
    public var dead: (@Sendable (Bystander) throws -> Void)?
    /// Processes that are asleep at the object when the victim is killed, and must come to their end.
    public var sleepers: [@Sendable (Bystander) throws -> Void]
    /// A process that acts at the very point where the victim has stopped, before that is killed.
    public var third: (@Sendable (Bystander) throws -> Void)?
    /// The operation on shared bytes that are overwritten in the middle of it: makes everything itself, and calls ``Victim/step(_:)``.
    public var scribbled: (@Sendable (Victim) throws -> Void)?
    /// Processes that are killed at any moment while all of them are at work.
    public var storm: Storm?
    /// Processes that take turns at their accesses to what is shared.
    public var schedule: Schedule?

    public init(
        _ name: String, _ summary: String, segments: [String] = [], stepsIntoCalls: Bool = false, victimWaits: Bool = false,
        needsSleepers: Bool = false,
        survivor: @escaping @Sendable (Site) throws -> Survivor, dead: (@Sendable (Bystander) throws -> Void)? = nil,
        victim: @escaping @Sendable (Victim) throws -> Void,
        sleepers sleeper: (@Sendable (Bystander) throws -> Void)? = nil, third: (@Sendable (Bystander) throws -> Void)? = nil,
        scribbled: (@Sendable (Victim) throws -> Void)? = nil, storm: Storm? = nil, schedule: Schedule? = nil
    ) {
        self.name = name
        self.summary = summary
        self.segments = segments
        self.stepsIntoCalls = stepsIntoCalls
        self.victimWaits = victimWaits
        self.needsSleepers = needsSleepers
        self.survivor = survivor
        self.dead = dead
        self.victim = victim
        sleepers = sleeper.map { [$0] } ?? []
        self.third = third
        self.scribbled = scribbled
        self.storm = storm
        self.schedule = schedule
    }
}

/// Where a scenario takes place. What the closures of one trial share, all in memory that outlives each of them.
public struct Site: Sendable {
    /// Empty at first; removed afterwards.
    public let directory: ObjectDirectory
    /// What the processes write down of what they are about to do and have done.
    public let ledger: Ledger
    /// Random numbers of this trial.
    public let seed: UInt64

    public func path(_ name: String) -> FilePath { directory.path.appending(name) }
}

/// What the survivor of a scenario does around each death. It throws when something does not hold; not coming back is found by the lab.
public struct Survivor {
    let prepare: () throws -> Void
    let rouse: (() throws -> Void)?
    let meanwhile: (() throws -> Void)?
    let goOn: () throws -> Void

    /// - Parameters:
    ///   - prepare: before a victim.
    ///   - rouse: lets a victim go on that sleeps before its point.
    ///   - meanwhile: while the victim stands still and is alive (``Mode/pause``, ``Mode/leave``): must not be told of a death, and must get
    ///     on or wait no longer than its deadline.
    ///   - goOn: after the death: go on, validate, and check the invariant.
    public init(
        prepare: @escaping () throws -> Void = {}, rouse: (() throws -> Void)? = nil, meanwhile: (() throws -> Void)? = nil,
        goOn: @escaping () throws -> Void
    ) {
        self.prepare = prepare
        self.rouse = rouse
        self.meanwhile = meanwhile
        self.goOn = goOn
    }
}

/// What must hold does not.
public struct Violation: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }

    /// Throws unless `condition` holds.
    public static func unless(_ condition: Bool, _ description: @autoclosure () -> String) throws {
        if !condition { throw Violation(description()) }
    }
}

/// Processes at work that are killed at random.
public struct Storm: Sendable {
    /// What each of them does until ``Bystander/isOver``, again and again from the beginning when it was killed. It ends by itself then, which nothing but the others may hold up.
    public let workers: [@Sendable (Bystander) throws -> Void]
    /// What must hold afterwards.
    public let check: @Sendable (Site) throws -> Void

    public init(workers: [@Sendable (Bystander) throws -> Void], check: @escaping @Sendable (Site) throws -> Void) {
        self.workers = workers
        self.check = check
    }
}

/// Processes that are stepped from one access of the shared bytes, or system call, to the next, one at a time, in an order that a seed decides.
public struct Schedule: Sendable {
    /// Each calls ``Victim/step(_:)`` once. What comes before it runs freely, one after the other.
    public let players: [@Sendable (Victim) throws -> Void]
    /// Whether one of them is killed in some of the schedules. The others must come to their end then as well.
    public let mayKill: Bool
    /// What must hold when all have come to their end.
    public let check: @Sendable (Site) throws -> Void

    public init(
        players: [@Sendable (Victim) throws -> Void], mayKill: Bool = false, check: @escaping @Sendable (Site) throws -> Void
    ) {
        self.players = players
        self.mayKill = mayKill
        self.check = check
    }
}
