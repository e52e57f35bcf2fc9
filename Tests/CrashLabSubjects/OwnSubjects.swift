import CCrashLabSubjects
import CrashLab
import Interprocess

/// Made wrong on purpose, each beside one made right.
let ownSubjects: [Scenario] = [
    Scenario("lock.ownerless", "a lock that does not say whose it is", segments: ["page"]) { site in
        let page = SharedPage(site)
        return Survivor(goOn: {
            unsafe subject_ownerless_lock(page.address)
            unsafe subject_ownerless_unlock(page.address)
        })
    } victim: { victim in
        let page = SharedPage(victim.site)
        try victim.step {
            unsafe subject_ownerless_lock(page.address)
            unsafe subject_ownerless_unlock(page.address)
        }
    },
    publish("publish.flagFirst", "a message that is announced before it is written", isWrong: true),
    publish("publish.flagLast", "a message that is announced when it is written", isWrong: false),
    publish("publish.flagFirst.async", "the same in a task that was resumed, announced before", isWrong: true, inTask: true),
    publish("publish.flagLast.async", "the same, announced when it is written", isWrong: false, inTask: true),
    Scenario("publish.notAsync", "a task's operation that is none", segments: ["page"], survivor: { _ in Survivor(goOn: {}) }) { victim in
        let page = SharedPage(victim.site)
        try victim.step(inTask: true) { unsafe subject_publish(page.address, 1, 0) }
    },
    waking("waker.clearsFlag", "a waker that clears the sleeper's flag", isWrong: true),
    waking("waker.keepsFlag", "a waker that leaves the flag to the sleeper", isWrong: false),
    farAway,
]

/// An operation of thousands of instructions, with system calls among them. Whoever finds it dead says how far it was: the page is none of the segments, so that its changes are no points.
private let farAway = Scenario("far.away", "a count far, that is told to whoever finds it ended", segments: []) { site in
    let page = SharedPage(site)
    return Survivor(goOn: {
        try Violation.unless(unsafe subject_gone(page.address) == 1999, "it was at \(unsafe subject_gone(page.address))")
    })
} victim: { victim in
    let page = SharedPage(victim.site)
    try victim.step { unsafe subject_go_far(page.address, 2000) }
}

private func publish(_ name: String, _ summary: String, isWrong: Bool, inTask: Bool = false) -> Scenario {
    Scenario(name, summary, segments: ["page"]) { site in
        let page = SharedPage(site)
        return Survivor(goOn: {
            try Violation.unless(
                unsafe subject_is_whole(page.address) != 0, "message \(unsafe subject_published(page.address)) is announced and not there")
        })
    } victim: { victim in
        let page = SharedPage(victim.site)
        let number = unsafe subject_published(page.address) + 1
        unsafe subject_publish(page.address, number, 0)
        guard inTask else { return try victim.step { unsafe subject_publish(page.address, number + 1, isWrong ? 1 : 0) } }
        func publish(_ number: UInt64) throws {
            try InterprocessExecutor.runHere {
                try Victim.beginSteps()
                await Task.yield()
                unsafe subject_publish(page.address, number, isWrong ? 1 : 0)
                Victim.endSteps()
            }
        }
        try publish(number + 1)
        try victim.step(inTask: true) { try publish(number + 2) }
    }
}

private func waking(_ name: String, _ summary: String, isWrong: Bool) -> Scenario {
    Scenario(name, summary, segments: ["page"]) { site in
        let page = SharedPage(site)
        return Survivor(goOn: { unsafe subject_count(page.address, isWrong ? 1 : 0) })
    } victim: { victim in
        let page = SharedPage(victim.site)
        try victim.step { unsafe subject_count(page.address, isWrong ? 1 : 0) }
    } sleepers: { sleeper in
        let page = SharedPage(sleeper.site)
        sleeper.willSleep()
        unsafe subject_await_count(page.address, subject_counted(page.address) + 1)
    }
}
