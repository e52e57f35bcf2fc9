import CrashLab
import Interprocess
import InterprocessSystem

/// Request and reply: a client or a server killed.
let serviceScenarios: [Scenario] =
    [
        call(.blocking), call(.suspending), callServed, callAlone(.blocking),
        callAlone(.suspending).with(scribbled: { try useInTasks($0) }),
        callAlone(.cancelled), serve(.blocking), serve(.suspending), serveAgain(.blocking), serveAgain(.suspending), serveAsleep(.blocking),
        serveAsleep(.suspending), takeCancelled, replyToNobody, joinClient, joinServer,
    ]
    + serviceStreamScenarios + serviceConcurrentScenarios

/// What a server that sleeps does: it must get one call.
private func serving(_ index: Int, _ form: Form = .blocking) -> @Sendable (Bystander) throws -> Void {
    { process in
        let server = try openServer(process.site)
        try process.sleeping(index) { try server.serveOne(form) }
    }
}

/// What a client that sleeps does: it must get a reply.
private func calling(_ index: Int, _ form: Form = .blocking) -> @Sendable (Bystander) throws -> Void {
    { process in
        let client = try openClient(process.site)
        try process.sleeping(index) { try client.ask(700 + UInt64(index), by: form) }
    }
}

private let third: @Sendable (Bystander) throws -> Void = { third in
    let (client, server) = (try openClient(third.site), try openServer(third.site))
    _ = try client.askShortly()
    try server.replyToAll()
    third.awaitKill()
    try server.replyToAll()
    _ = try client.askShortly()
}

/// The victim calls, and waits for the reply.
private func call(_ form: Form) -> Scenario {
    calling("service.call" + form.rawValue, "a client in a call", form).with(sleepers: [calling(0), calling(1, form)])
}

private let callServed = calling("service.call.served", "a client in a call for which servers wait").with(sleepers: [
    serving(0), serving(1, .suspending),
])

private func calling(_ name: String, _ summary: String, _ form: Form = .blocking) -> Scenario {
    Scenario(
        name, summary, segments: ["s"], victimWaits: true,
        survivor: { site in
            let ends = try ServiceEnds(site)
            return Survivor(
                prepare: { site.begin() }, rouse: { try ends.server.replyToAll() }, meanwhile: { _ = try ends.client.askShortly() },
                goOn: {
                    try ends.awakeAll()
                    try ends.settle()
                })
        }
    ) { victim in
        let client = try openClient(victim.site)
        try unlessLate { try client.ask(8, by: form, until: .shortly) }
        try victim.step(by: form) { try victim.site.doing { try client.ask(7, by: form) } }
    } third: {
        try third($0)
    }
}

/// The victim calls where nobody serves, and gives up.
private func callAlone(_ form: Form) -> Scenario {
    Scenario(
        "service.call.give-up" + form.rawValue, "a client that gives up a call", segments: ["s"],
        survivor: { site in
            let ends = try ServiceEnds(site)
            return Survivor(
                prepare: { site.begin() }, meanwhile: { _ = try ends.client.askShortly() },
                goOn: {
                    try ends.awakeAll()
                    try ends.settle()
                })
        }
    ) { victim in
        let client = try openClient(victim.site)
        try form.givesUp { try client.ask(8, by: form, until: form.briefly) }
        try victim.step(by: form) { try form.givesUp { try client.ask(7, by: form, until: form.soon) } }
    } third: {
        try third($0)
    } scribbled: {
        try useScribbled($0)
    }.with(sleepers: [calling(0)])
}

private func serving(_ name: String, _ summary: String, retries: Int, _ form: Form) -> Scenario {
    Scenario(
        name, summary, segments: ["s"],
        survivor: { site in
            let ends = try ServiceEnds(site, retries: retries)
            return Survivor(
                prepare: {
                    site.begin()
                    try ends.begin(7)
                }, meanwhile: { _ = ends.client.statistics },
                goOn: {
                    // Whatever the dead one had not taken, or what is sent again, is served here.
                    while ends.outcome.withLock({ $0 == nil }) {
                        try ends.server.replyToAll()
                        sleepThread(for: .microseconds(20))
                    }
                    switch ends.outcome.withLock({ $0 }) {
                    case .success(let number)?: try Violation.unless(number == 8, "the reply is \(number)")
                    case .failure(CallError.peerDied(let notice))?:
                        try Violation.unless(retries == 0, "the call was not sent again")
                        try Violation.unless(notice.held == .calls, "the dead one held \(notice.held)")
                        try Violation.unless(!site.isDone, "the call was replied to, and its client told of a death")
                    // There was no room for the reply.
                    case .failure(CallError.unanswered)? where !site.isDone: break
                    case .failure(let error)?: throw Violation("the call: \(error)")
                    case nil: break
                    }
                    try ends.settle()
                })
        }
    ) { victim in
        let server = try openServer(victim.site)
        try victim.step(by: form) { try victim.site.doing { try server.serveOne(form) } }
    } third: { third in
        let client = try openClient(third.site)
        _ = try client.askShortly()
        third.awaitKill()
        _ = try client.askShortly()
    }
}

/// The victim takes a call and replies.
private func serve(_ form: Form) -> Scenario {
    serving("service.take" + form.rawValue, "a server that takes a call and replies", retries: 0, form).notRepeated
}

private func serveAgain(_ form: Form) -> Scenario {
    serving("service.take.retry" + form.rawValue, "a server whose calls are sent again", retries: 1000, form).notRepeated
}

/// The victim sleeps until there is a call.
private func serveAsleep(_ form: Form) -> Scenario {
    Scenario(
        "service.take.sleep" + form.rawValue, "a server that waits", segments: ["s"], victimWaits: true,
        survivor: { site in
            let ends = try ServiceEnds(site, retries: 1000)
            return Survivor(
                prepare: {
                    site.begin()
                    ends.outcome.withLock { $0 = .success(8) }
                },
                rouse: { if ends.outcome.withLock({ $0 != nil }) { try ends.begin(7) } }, meanwhile: { _ = try ends.client.askShortly() },
                goOn: {
                    while ends.outcome.withLock({ $0 == nil }) || site.asleep > 0 {
                        try ends.server.replyToAll()
                        if site.asleep > 0 { _ = try ends.client.askShortly(600) }
                    }
                    guard case .success(8)? = ends.outcome.withLock({ $0 }) else { throw Violation("the call was lost") }
                    try ends.settle()
                })
        }
    ) { victim in
        let server = try openServer(victim.site)
        try server.replyToAll()
        try unlessLate { try server.serveOne(form, until: .shortly) }
        try victim.step(by: form) { try server.serveOne(form) }
    } third: {
        try third($0)
    }.with(sleepers: [serving(0, form)])
}

/// The victim waits for a call, and its task is cancelled.
private let takeCancelled = Scenario(
    "service.take.cancel", "a server that waits, and whose task is cancelled", segments: ["s"],
    survivor: { site in
        let ends = try ServiceEnds(site)
        return Survivor(
            prepare: { site.begin() }, meanwhile: { _ = try ends.client.askShortly() },
            goOn: {
                while site.asleep > 0 { _ = try ends.client.askShortly(600) }
                try ends.settle()
            })
    }
) { victim in
    let server = try openServer(victim.site)
    try Form.cancelled.givesUp { try server.serveOne(.cancelled) }
    try victim.step(by: .cancelled) { try Form.cancelled.givesUp { try server.serveOne(.cancelled) } }
} third: {
    try third($0)
}.with(sleepers: [serving(0)])

/// The victim replies to a call that nobody waits for.
private let replyToNobody = Scenario(
    "service.reply.abandoned", "a server that replies when nobody waits any more", segments: ["s"],
    survivor: { site in
        let ends = try ServiceEnds(site)
        return Survivor(
            prepare: {
                site.begin()
                try ends.begin(7, until: .after(.milliseconds(20)))
            }, meanwhile: { _ = try ends.client.askShortly() },
            goOn: {
                hold { ends.outcome.withLock { $0 != nil } }
                try ends.settle()
            })
    }
) { victim in
    let server = try openServer(victim.site)
    let call: ServerCall<Numbered, Numbered>?
    do { call = try server.take(until: .after(.milliseconds(20))) } catch ServeError.deadline { call = nil }
    let held = Holder(call)
    if held.value != nil { hold { held.value?.isCancelled ?? true } }
    try victim.step {
        guard let call = held.value.take() else { return }
        do {
            try call.reply(Numbered(8))
            throw Violation("the reply reached somebody")
        } catch ServeError.callerGone {}
    }
}

/// The victim opens a client, and lets go of it.
private let joinClient = joining("service.join.client", "one that becomes a client and leaves") { _ = try openClient($0) }
private let joinServer = joining("service.join.server", "one that becomes a server and leaves") { _ = try openServer($0) }

private func joining(_ name: String, _ summary: String, _ open: @escaping @Sendable (Site) throws -> Void) -> Scenario {
    Scenario(
        name, summary, segments: ["s"],
        survivor: { site in
            let ends = try ServiceEnds(site)
            return Survivor(
                prepare: { site.begin() }, meanwhile: { _ = try ends.client.askShortly() },
                goOn: {
                    try ends.settle()
                    try Violation.unless(ends.client.servers == 1, "there are \(ends.client.servers) servers")
                })
        }
    ) { victim in
        try open(victim.site)
        try victim.step { try open(victim.site) }
    }
}

/// Whatever stands in the shared bytes, calls come back.
private func useScribbled(_ victim: Victim) throws {
    let ends = try ServiceEnds(victim.site)
    func all(_ deadline: Deadline) {
        _ = try? ends.client.call(Numbered(1), until: deadline)
        _ = try? ends.client.tryCall(Numbered(1), until: .now)
        let stream = ends.client.stream(Numbered(2), until: deadline)
        _ = try? stream.next()
        if let call = try? ends.server.take(until: deadline) {
            _ = (call.isCancelled, call.deadline, call.caller)
            try? call.send(Numbered(1), until: deadline)
            try? call.finish()
        }
        // To a stream that nobody reads a reply waits for ever.
        if let call = try? ends.server.tryTake(), !call.isStreamed { try? call.reply(Numbered(3)) }
        if let call = try? ends.server.tryTake() { try? call.fail(ServiceFailure("no", code: 4)) }
        _ = (ends.client.statistics, ends.client.servers)
    }
    all(.now)
    try victim.step { all(victim.deadline == .never ? .shortly : victim.deadline) }
}

/// All that a task may wait for.
private func useInTasks(_ victim: Victim) throws {
    let ends = try ServiceEnds(victim.site)
    func all() {
        try? ends.client.ask(1, by: .suspending, until: Form.scribbled)
        try? ends.client.ask(1, by: .cancelled, until: Form.scribbled)
        try? ends.server.serveOne(.suspending, until: Form.scribbled)
        try? ends.server.serveOne(.cancelled, until: Form.scribbled)
    }
    all()
    try victim.step { all() }
}
