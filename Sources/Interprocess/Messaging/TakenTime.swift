/// When the message of a slot was taken, and for which delivery that is said: one word.
///
/// **States**
///
/// | bits | meaning |
/// |---|---|
/// | 0–7 | the delivery's number |
/// | 8–15 | generation of the slot, modulo 2^8 |
/// | 16–63 | `CLOCK_MONOTONIC` in nanoseconds, rounded up to 2^16 |
///
/// It is written after the message was taken, so it may still be that of a delivery before: then it says nothing.
/// Each change is a compare-exchange. Who takes the message begins with the word that stood there before; who finds that it says nothing puts the present in its place, and the taker's comes too late.
struct TakenTime: Equatable {
    let word: UInt64

    private static let tagMask: UInt64 = (1 << 16) - 1

    init(word: UInt64) { self.word = word }

    /// - Parameter nanoseconds: not before `state` was.
    init(_ nanoseconds: UInt64, of state: SlotState) {
        word = (nanoseconds &+ Self.tagMask) & ~Self.tagMask | Self.tag(state)
    }

    private static func tag(_ state: SlotState) -> UInt64 { UInt64(state.deliveries & 255) | UInt64(state.generation & 255) << 8 }

    func isOf(_ state: SlotState) -> Bool { word & Self.tagMask == Self.tag(state) }

    /// When that is `nanoseconds` ago; at the end of time at the latest.
    func advanced(by nanoseconds: UInt64) -> UInt64 {
        let (due, isBeyond) = (word & ~Self.tagMask).addingReportingOverflow(nanoseconds)
        return isBeyond ? .max : due
    }
}
