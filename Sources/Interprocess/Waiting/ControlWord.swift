import CInterprocess
import InterprocessSystem

/// A word of this process's own, on which one thread sleeps and which others increment; alive as long as the process.
@safe
final class ControlWord: @unchecked Sendable {
    private let word: SharedUInt32
    private let scope: Futex.Scope

    /// - Parameter scope: `shared` if it is slept on together with words that processes share, as ``SleepWords``.
    init(scope: Futex.Scope = .process) {
        self.scope = scope
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
        unsafe memory.storeBytes(of: 0, as: UInt32.self)
        word = unsafe SharedUInt32(at: memory)
    }

    deinit { unsafe word.rawAddress.deallocate() }

    var value: UInt32 { word.loadSequential() }

    func increment() { word.add(1) }

    func wake() { unsafe Futex.wake(word.rawAddress, scope: scope) }

    func incrementAndWake() {
        increment()
        wake()
    }

    func wait(while value: UInt32) { _ = try? unsafe Futex.wait(word.rawAddress, while: value, scope: scope) }

    /// For a wait together with words that processes share.
    func sleepWords(while value: UInt32) -> SleepWords { SleepWords(event: word, eventSeen: value, life: nil, lifeSeen: 0) }

    func waiter(while value: UInt32) -> ipc_futex_waiter { unsafe ipc_futex_waiter(word.rawAddress, while: value, scope: scope) }
}
