import CrashLab
import Interprocess

/// Objects that stand in a segment, made by one that is killed in that.
let placedScenarios: [Scenario] =
    [
        making("placed.make", "a process that makes a mutex in a segment") { segment, site in
            let mutex = try SharedMutex(in: segment, at: offset, initial: Halves(first: 7, second: 7), strategy: .park)
            return {
                try mutex.pass { try Violation.unless($0.first == 7, "the value is \($0.first)") }
            }
        },
        making("placed.make-permits", "a process that makes permits in a segment, with a word for each peer") { segment, site in
            let permits = try SharedPermits(in: segment, at: offset, units: 3, strategy: .park)
            return {
                try permits.acquire(3).release()
                hold { permits.available == 3 }
            }
        },
    ]
    + Scenario.schedules(
        "placed.schedule", "three that make the same mutex in a segment", ["g"],
        players: [{ try play($0, 0) }, { try play($0, 1) }, { try play($0, 2) }],
        check: { site in
            let segment = try Segment.open(name, in: site.directory)
            try SharedMutex<Halves>(in: segment, at: offset, initial: Halves()).pass { value in
                try Violation.unless(site.count().contains(Int(value.first)), "\(value.first) changes: it should be \(site.count())")
            }
        })

private let name: ObjectName = "g"
private let offset = 128
private let size = 4096

/// - Parameter make: makes or opens the object, and returns what must come to its end then.
private func making(_ scenario: String, _ summary: String, _ make: @escaping @Sendable (Segment, Site) throws -> () throws -> Void)
    -> Scenario
{
    Scenario(scenario, summary, segments: ["g"]) { site in
        let segment = try Segment.create(name, size: size, in: site.directory)
        return Survivor(
            // Nobody has it open but this process.
            prepare: { unsafe segment.withBytes { _ = unsafe $0.initializeMemory(as: UInt8.self, repeating: 0) } },
            goOn: { try make(segment, site)() })
    } victim: { victim in
        let segment = try Segment.open(name, in: victim.site.directory)
        let warm = try Segment.openOrCreate("warm", size: size, in: victim.site.directory)
        _ = try make(warm, victim.site)
        let kept = Holder<() throws -> Void>(nil)
        try victim.step { kept.value = try make(segment, victim.site) }
    } third: { third in
        let segment = try Segment.open(name, in: third.site.directory)
        // Sleeps until the victim is dead, if that is at it.
        let use = try make(segment, third.site)
        try use()
        third.awaitKill()
        try use()
    } scribbled: { victim in
        let segment = try Segment.openOrCreate(name, size: size, in: victim.site.directory)
        try victim.step { _ = try make(segment, victim.site) }
    }
}

private func play(_ victim: Victim, _ who: Int) throws {
    let site = victim.site
    let segment = try Segment.openOrCreate(name, size: size, in: site.directory, lifetime: .untilRemoved)
    let warm = try Segment.openOrCreate("warm", size: size, in: site.directory)
    try SharedMutex<Halves>(in: warm, at: 0, initial: Halves()).pass()
    try victim.step {
        let mutex = try SharedMutex<Halves>(in: segment, at: offset, initial: Halves(), strategy: .park)
        try site.doing(who) { try mutex.pass { $0.step(site) } }
    }
}

/// One object after the other, each made by whoever comes first; what is done once is.
let onceStorm = Scenario(
    "once.storm", "eight that do one thing after the other once, each made where it stands, killed at random",
    storm: Storm(
        workers: (0..<8).map { who in { try stormedOnce($0, who) } },
        check: { site in
            let segment = try Segment.open("onces", in: site.directory)
            for number in 0..<mostOnces where try SharedOnce(in: segment, at: number * stride, strategy: .park).isDone {
                try Violation.unless(counted(segment, number) >= 1, "number \(number) is done, and nobody has done it")
            }
        }))

private let mostOnces = 20_000
private let stride = SharedOnce.byteCount + 64

/// How often the thing was done.
private func counted(_ segment: Segment, _ number: Int) -> UInt64 {
    unsafe segment.withBytes { unsafe $0.load(fromByteOffset: number * stride + SharedOnce.byteCount, as: UInt64.self) }
}

func stormedOnce(_ process: Bystander, _ who: Int) throws {
    let segment = try Segment.openOrCreate("onces", size: mostOnces * stride, in: process.site.directory, lifetime: .untilRemoved)
    let place = Mark.done + who
    while !process.isOver {
        let number = Int(process.site.ledger[place])
        guard number < mostOnces else { break }
        let once = try SharedOnce(in: segment, at: number * stride, strategy: .park)
        _ = try once.run { (dead: DeathNotice?) in
            let times = counted(segment, number)
            try Violation.unless(times == 0 || dead != nil, "number \(number) is done again, and nobody has died")
            unsafe segment.withBytes {
                unsafe $0.storeBytes(of: times + 1, toByteOffset: number * stride + SharedOnce.byteCount, as: UInt64.self)
            }
        }
        try Violation.unless(once.isDone, "number \(number) is not done")
        process.site.ledger[place] = UInt64(number + 1)
    }
    hold { process.isOver }
}
