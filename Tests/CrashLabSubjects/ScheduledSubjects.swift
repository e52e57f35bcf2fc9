import CCrashLabSubjects
import CrashLab

/// What only the order of two processes' accesses brings to light.
let scheduledSubjects: [Scenario] = [
    adding("add.inTwoSteps", "two processes that add in two steps", isWrong: true),
    adding("add.atOnce", "two processes that add in one step", isWrong: false),
    sleeping("sleep.blindly", "a sleeper that does not look again after it has set its flag", isWrong: true),
    sleeping("sleep.afterLook", "a sleeper that looks again", isWrong: false),
    late,
]

private func scheduled(_ name: String, _ summary: String, _ schedule: Schedule) -> Scenario {
    Scenario(name, summary, segments: ["page"], survivor: { _ in Survivor(goOn: {}) }, victim: { _ in }, schedule: schedule)
}

private func adding(_ name: String, _ summary: String, isWrong: Bool) -> Scenario {
    let player: @Sendable (Victim) throws -> Void = { victim in
        let page = SharedPage(victim.site)
        try victim.step { for _ in 0..<3 { unsafe subject_add(page.address, isWrong ? 1 : 0) } }
    }
    return scheduled(
        name, summary,
        Schedule(players: [player, player]) { site in
            let sum = unsafe subject_counted(SharedPage(site).address)
            try Violation.unless(sum == 6, "the sum is \(sum)")
        })
}

private func sleeping(_ name: String, _ summary: String, isWrong: Bool) -> Scenario {
    scheduled(
        name, summary,
        Schedule(players: [
            { victim in
                let page = SharedPage(victim.site)
                try victim.step { for _ in 0..<3 { unsafe subject_count(page.address, 0) } }
            },
            { victim in
                let page = SharedPage(victim.site)
                try victim.step {
                    for number in 1...UInt32(3) {
                        if isWrong {
                            unsafe subject_await_count_blindly(page.address, number)
                        } else {
                            unsafe subject_await_count(page.address, number)
                        }
                    }
                }
            },
        ]) { _ in })
}

/// Both are asleep, and the second wakes by itself.
private let late = scheduled(
    "sleep.forTheLate", "a sleeper, and who wakes it after a sleep of its own",
    Schedule(players: [
        { victim in
            let page = SharedPage(victim.site)
            try victim.step { unsafe subject_await_count(page.address, 1) }
        },
        { victim in
            let page = SharedPage(victim.site)
            try victim.step { unsafe subject_count_late(page.address, 5) }
        },
    ]) { _ in })
