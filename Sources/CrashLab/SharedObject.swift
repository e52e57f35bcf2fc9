extension Scenario {
    /// Scenarios of an object that several processes use alike, as a lock: what happens to one of them in the middle of an operation (`name`), a storm (`name.storm`) and
    /// schedules of two with a kill (`name.schedule`).
    ///
    /// ```swift
    /// Scenario.object(
    ///     "mutex.withLock", "a process in withLock", segments: ["m"],
    ///     open: { try SharedMutex<Pair>(named: "m", in: $0.directory) },
    ///     operation: { mutex, _ in try mutex.withLock { $0.increment() } },
    ///     check: { mutex, _ in try Violation.unless(mutex.withLock { $0.isWhole }, "the pair is torn") })
    /// ```
    ///
    /// - Parameters:
    ///   - segments: the object's files in the site's directory.
    ///   - open: opens the object, or makes it; in each process, on the thread that uses it.
    ///   - operation: what is killed, stopped, interrupted; made once before, so that everything is bound. After a failed system call it is made again.
    ///   - check: what must hold after a death, in a process that lives through many: that the object can be used at once, and is whole.
    ///   - meanwhile: what others can do while a process stands still in the operation and lives; must end by a deadline of its own.
    ///   - asleep: what another process does that sleeps at the object when the first is killed, and must come to its end. Waits for it first if it has to.
    ///   - third: what one does while the victim stands at its point: calls ``Bystander/awaitKill()`` in the middle.
    public static func object<Object: ~Copyable>(
        _ name: String, _ summary: String, segments: [String], open: @escaping @Sendable (Site) throws -> Object,
        operation: @escaping @Sendable (inout Object, Site) throws -> Void, check: @escaping @Sendable (inout Object, Site) throws -> Void,
        meanwhile: (@Sendable (inout Object, Site) throws -> Void)? = nil,
        asleep: (@Sendable (inout Object, Site) throws -> Void)? = nil, third: (@Sendable (inout Object, Bystander) throws -> Void)? = nil
    ) -> [Scenario] {
        var sleeping: (@Sendable (Bystander) throws -> Void)?
        if let asleep {
            sleeping = { sleeper in
                var object = try open(sleeper.site)
                sleeper.willSleep()
                try asleep(&object, sleeper.site)
            }
        }
        var acting: (@Sendable (Bystander) throws -> Void)?
        if let third {
            acting = { process in
                var object = try open(process.site)
                try third(&object, process)
            }
        }
        let survivor: @Sendable (Site) throws -> Survivor = { site in
            let object = Opened(try open(site))
            return Survivor(meanwhile: { try meanwhile?(&object.it, site) }, goOn: { try check(&object.it, site) })
        }
        let player: @Sendable (Victim) throws -> Void = { player in
            var object = try open(player.site)
            try operation(&object, player.site)
            try player.step { try operation(&object, player.site) }
        }
        let single = Scenario(
            name, summary, segments: segments, survivor: survivor, victim: player, sleepers: sleeping, third: acting)
        let checkAfterwards: @Sendable (Site) throws -> Void = { site in
            var object = try open(site)
            try check(&object, site)
        }
        let untilOver: @Sendable (Bystander) throws -> Void = { process in
            var object = try open(process.site)
            while !process.isOver { try operation(&object, process.site) }
        }
        func plain(_ name: String, _ summary: String, _ storm: Storm?, _ schedule: Schedule?) -> Scenario {
            Scenario(
                name, summary, segments: segments, survivor: { _ in Survivor(goOn: {}) }, victim: { _ in }, storm: storm, schedule: schedule
            )
        }
        return [
            single,
            plain(
                name + ".storm", summary + ", three at once", Storm(workers: [untilOver, untilOver, untilOver], check: checkAfterwards), nil
            ),
            plain(
                name + ".schedule", summary + ", two at once", nil,
                Schedule(players: [player, player], mayKill: true, check: checkAfterwards)),
        ]
    }
}

/// One that stays with the closures that use it.
private final class Opened<Object: ~Copyable> {
    var it: Object
    init(_ object: consuming Object) { it = object }
}
