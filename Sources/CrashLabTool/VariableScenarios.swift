import CrashLab
import Interprocess

/// A variable, while one that puts, takes, reads, swaps, changes, opens or closes it is killed. What becomes of who gives up waiting, and of several at once, is in
/// `VariableConcurrentScenarios.swift`.
let variableScenarios: [Scenario] =
    [
        variablePut(.blocking), variablePut(.suspending), variablePutWaiting(.blocking), variablePutWaiting(.suspending),
        variableTake(.blocking), variableTake(.suspending), variableTakeWaiting(.blocking),
        variableTakeWaiting(.suspending).with(scribbled: { try callInTasks($0) }), variableRead(.blocking), variableRead(.suspending),
        variableReadWaiting(.blocking), variableReadWaiting(.suspending), variableSwap(.blocking), variableSwap(.suspending),
        variableModify(.blocking), variableModify(.suspending), variableLook(.blocking), variableLook(.suspending),
        attachingVariable("variable.open", "a process that opens a variable", isClosed: false),
        attachingVariable("variable.close", "a process that closes a variable", isClosed: true),
    ] + variableConcurrentScenarios

/// The ledger's places of those who put and of those who take: the victim, the survivor, a third, and sleepers.
enum VariablePlace {
    static let victim = 0, survivor = 1, third = 2, sleeper = 3
    static let taking = 5
}

func openVariable(
    _ site: Site, _ options: SynchronizationOptions? = nil, _ name: ObjectName = "v"
) throws -> SharedVariable<LatestRecord> {
    try SharedVariable(named: name, options: options ?? site.synchronization, strategy: .park)
}

extension SharedVariable<LatestRecord> {
    /// Puts a value, and writes down before that it is about to, and after that it has. Whether it came to that.
    @discardableResult
    func give(
        _ site: Site, _ who: Int, _ number: UInt64 = 7, _ deadline: @autoclosure () -> Deadline = .never, by form: Form = .blocking
    ) throws -> Bool {
        site.ledger[Mark.intent + who] += 1
        let isDone = try form.givesUp {
            try form.call {
                try put(LatestRecord(number), until: deadline())
            } _: {
                try await put(LatestRecord(number), until: deadline())
            }
        }
        if isDone { site.ledger[Mark.done + who] += 1 } else { site.undone(who) }
        return isDone
    }

    /// The same for a value that is taken.
    @discardableResult
    func fetch(
        _ site: Site, _ who: Int, _ deadline: @autoclosure () -> Deadline = .never, by form: Form = .blocking
    ) throws -> UInt64? {
        let place = who + VariablePlace.taking
        var number: UInt64?
        site.ledger[Mark.intent + place] += 1
        let isDone = try form.givesUp {
            number = try form.call {
                try take(until: deadline())
            } _: {
                try await take(until: deadline())
            }.check()
        }
        guard isDone else {
            site.undone(place)
            return nil
        }
        site.ledger[Mark.done + place] += 1
        return number
    }

    func readWhole(_ form: Form, _ deadline: @autoclosure () -> Deadline = .never) throws {
        _ = try form.call {
            try read(until: deadline())
        } _: {
            try await read(until: deadline())
        }.check()
    }

    /// What is there is whole, and is all that was put and not taken.
    func checkBalance(_ site: Site) throws {
        _ = try tryRead()?.check()
        let (puts, takes) = (site.count(0..<VariablePlace.taking), site.count(VariablePlace.taking..<10))
        let expected = puts.lowerBound - takes.upperBound...puts.upperBound - takes.lowerBound
        try Violation.unless(
            expected.contains(isEmpty ? 0 : 1), "\(isEmpty ? "nothing" : "a value") is there: \(puts) were put and \(takes) taken")
    }

    /// Everything goes on, at once; it is empty afterwards.
    func useAll(_ site: Site) throws {
        if try tryTake() != nil { site.ledger[Mark.done + VariablePlace.survivor + VariablePlace.taking] += 1 }
        try put(LatestRecord(1))
        try modify { $0.step() }
        let number = try read().check()
        try Violation.unless(number == 2, "a change is lost: \(number)")
        try Violation.unless(swap(LatestRecord(3)).check() == 2 && take().check() == 3 && isEmpty, "another value")
    }

    /// What others try while one stands still: it is afterwards as it was before, but where another comes in between.
    func tryShortly(_ site: Site, _ who: Int) throws {
        _ = try tryRead()?.check()
        if try fetch(site, who, .shortly) != nil { try give(site, who, 8, .shortly) }
        if isEmpty, try give(site, who, 9, .now) { try fetch(site, who, .shortly) }
        try unlessLate { try withValue(until: .now) { _ = try $0.check() } }
    }

    /// Once before the operation, on an object of its own, so that everything is bound.
    static func warm(_ site: Site) throws {
        let variable = try openVariable(site, nil, "warm")
        try variable.useAll(site)
        try unlessLate { _ = try variable.take(until: .shortly) }
        try unlessLate { try variable.readWhole(.suspending, .shortly) }
    }
}

/// What the processes that are asleep at it wait for.
enum VariableSleepers { case takers, putters }

/// - Parameter isFull: what the victim finds.
func variableSurvivor(_ site: Site, isFull: Bool, _ sleepers: VariableSleepers, rouse: VariableSleepers? = nil) throws -> Survivor {
    let variable = try openVariable(site)
    func move(_ sleepers: VariableSleepers) throws {
        switch sleepers {
        case .takers: try variable.give(site, VariablePlace.survivor, 5, .after(.seconds(1)))
        case .putters: try variable.fetch(site, VariablePlace.survivor, .after(.seconds(1)))
        }
    }
    return Survivor(
        prepare: {
            site.begin()
            if isFull { try variable.give(site, VariablePlace.survivor) }
        }, rouse: rouse.map { which in { try move(which) } }, meanwhile: { try variable.tryShortly(site, VariablePlace.third) },
        goOn: {
            // Whatever has been done so far has woken whom it should.
            func settle() { hold { site.asleep == 0 || variable.isEmpty == (sleepers == .takers) } }
            settle()
            while site.asleep > 0 {
                try move(sleepers)
                settle()
            }
            try variable.checkBalance(site)
            try variable.useAll(site)
        })
}

func variableSleeper(_ index: Int, _ sleepers: VariableSleepers, _ form: Form = .blocking) -> @Sendable (Bystander) throws -> Void {
    { process in
        let variable = try openVariable(process.site)
        try process.sleeping(index) {
            switch sleepers {
            case .takers: try variable.fetch(process.site, VariablePlace.sleeper + index, by: form)
            case .putters: try variable.give(process.site, VariablePlace.sleeper + index, by: form)
            }
        }
    }
}

/// Reads the next value, whoever takes it.
private func readingSleeper(_ index: Int) -> @Sendable (Bystander) throws -> Void {
    { process in
        let variable = try openVariable(process.site)
        try process.sleeping(index) { _ = try variable.read().check() }
    }
}

private let third: @Sendable (Bystander) throws -> Void = { third in
    let variable = try openVariable(third.site)
    try variable.tryShortly(third.site, VariablePlace.third)
    third.awaitKill()
    try variable.tryShortly(third.site, VariablePlace.third)
}

private func variable(
    _ name: String, _ summary: String, isFull: Bool, _ sleepers: VariableSleepers, rouse: VariableSleepers? = nil, _ form: Form,
    operation: @escaping @Sendable (SharedVariable<LatestRecord>, Site) throws -> Void
) -> Scenario {
    Scenario(
        "variable.\(name)\(form.rawValue)", summary, segments: ["v"], victimWaits: rouse != nil,
        survivor: { try variableSurvivor($0, isFull: isFull, sleepers, rouse: rouse) }
    ) { victim in
        let variable = try openVariable(victim.site)
        try SharedVariable<LatestRecord>.warm(victim.site)
        try victim.step(by: form) { try operation(variable, victim.site) }
    } third: {
        try third($0)
    } scribbled: { victim in
        let variable = try openVariable(victim.site)
        callEverything(variable, .now)
        try victim.step { callEverything(variable, victim.deadline) }
    }
    .with(sleepers: (0..<2).map { variableSleeper($0, sleepers, $0 == 0 ? .blocking : form) })
}

private func callEverything(_ variable: SharedVariable<LatestRecord>, _ deadline: Deadline) {
    let soon = deadline == .never ? .shortly : deadline
    try? variable.put(LatestRecord(7), until: soon)
    _ = try? variable.tryRead()
    _ = try? variable.swap(LatestRecord(8), until: soon)
    try? variable.modify(until: soon) { $0.step() }
    try? variable.withValue(until: soon) { _ = $0.numbers[0] }
    _ = try? variable.read(until: soon)
    _ = try? variable.take(until: soon)
    _ = try? variable.tryTake()
    _ = try? variable.tryPut(LatestRecord(9))
}

private func callInTasks(_ victim: Victim) throws {
    let variable = try openVariable(victim.site)
    func all() {
        for form in [Form.suspending, .cancelled] {
            _ = try? variable.give(victim.site, VariablePlace.victim, 7, Form.scribbled, by: form)
            _ = try? variable.fetch(victim.site, VariablePlace.victim, Form.scribbled, by: form)
            try? variable.readWhole(form, Form.scribbled)
        }
    }
    all()
    try victim.step { all() }
}

private func variablePut(_ form: Form) -> Scenario {
    variable("put", "a process that puts a value", isFull: false, .takers, form) { variable, site in
        try variable.give(site, VariablePlace.victim, by: form)
    }
}

private func variablePutWaiting(_ form: Form) -> Scenario {
    variable("put.full", "a process that waits to put a value", isFull: true, .putters, rouse: .putters, form) { variable, site in
        try variable.give(site, VariablePlace.victim, by: form)
    }
}

private func variableTake(_ form: Form) -> Scenario {
    variable("take", "a process that takes the value", isFull: true, .putters, form) { variable, site in
        try variable.fetch(site, VariablePlace.victim, by: form)
    }
}

private func variableTakeWaiting(_ form: Form) -> Scenario {
    variable("take.empty", "a process that waits for a value", isFull: false, .takers, rouse: .takers, form) { variable, site in
        try variable.fetch(site, VariablePlace.victim, by: form)
    }
}

private func variableRead(_ form: Form) -> Scenario {
    variable("read", "a process that reads the value", isFull: true, .putters, form) { variable, _ in try variable.readWhole(form) }
}

private func variableReadWaiting(_ form: Form) -> Scenario {
    variable(
        "read.empty", "a process that waits for a value to read, beside others", isFull: false, .takers, rouse: .takers, form
    ) { variable, _ in
        try variable.readWhole(form)
    }.with(sleepers: [readingSleeper(0), variableSleeper(1, .takers), readingSleeper(2)])
}

private func variableSwap(_ form: Form) -> Scenario {
    variable("swap", "a process that swaps the value", isFull: true, .putters, form) { variable, site in
        site.ledger[Mark.reached] = 1
        let old = try form.call {
            try variable.swap(LatestRecord(1000))
        } _: {
            try await variable.swap(LatestRecord(1000))
        }.check()
        try Violation.unless(old != 1000, "the value was swapped with itself")
    }
}

private func variableModify(_ form: Form) -> Scenario {
    variable("modify", "a process that changes the value", isFull: true, .putters, form) { variable, _ in
        func change(_ value: inout LatestRecord) -> LatestRecord {
            value.step()
            return value
        }
        let number = try form.call {
            try variable.modify(change)
        } _: {
            try await variable.modify(change)
        }.check()
        try Violation.unless((6...10).contains(number), "it is \(number) after one change")
    }
}

private func variableLook(_ form: Form) -> Scenario {
    variable("withValue", "a process that looks at the value in its place", isFull: true, .putters, form) { variable, _ in
        try form.call {
            try variable.withValue { _ = try $0.check() }
        } _: {
            try await variable.withValue { _ = try $0.check() }
        }
    }
}

private func attachingVariable(_ scenario: String, _ summary: String, isClosed: Bool) -> Scenario {
    Scenario(scenario, summary, segments: ["v"]) { site in
        let variable = try openVariable(site)
        return Survivor(
            prepare: { site.begin() }, meanwhile: { try variable.tryShortly(site, VariablePlace.third) },
            goOn: {
                try variable.segment.awaitPeers(1)
                try openVariable(site).put(LatestRecord(1))
                try Violation.unless(variable.take().check() == 1, "another value")
            })
    } victim: { victim in
        let kept = Holder(try openVariable(victim.site, nil, isClosed ? "v" : "warm"))
        if !isClosed { kept.value = nil }
        try victim.step { kept.value = isClosed ? nil : try openVariable(victim.site) }
    } third: { third in
        let variable = try openVariable(third.site)
        _ = try variable.tryPut(LatestRecord(1))
        third.awaitKill()
        _ = try variable.tryTake()
    }
}
