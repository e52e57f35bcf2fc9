import SystemPackage

/// A facility of the kernel, by its name, with what is to be done about its errors.
///
/// Each facility is declared in the file of its first type: `extension Facility { static let pipe = … }`.
public struct Facility: Sendable, Hashable, CustomStringConvertible {
    private let name: StaticString
    /// What to do about an error of an operation, in one sentence; nil where ``commonAdvice(_:)`` says it.
    let advice: @Sendable (SystemCallName, Errno) -> String?

    init(_ name: StaticString, advice: @escaping @Sendable (SystemCallName, Errno) -> String?) { (self.name, self.advice) = (name, advice) }

    public var description: String { name.description }

    public static func == (a: Self, b: Self) -> Bool { a.description == b.description }
    public func hash(into hasher: inout Hasher) { hasher.combine(description) }

    /// Makes a call of this facility. See ``systemCall(_:retryOnInterrupt:_:)``.
    @discardableResult
    func call(_ name: SystemCallName, on object: @autoclosure () -> String = "", _ body: () -> Int) throws(FacilityError) -> Int {
        do throws(Errno) {
            return try systemCall(name, body)
        } catch {
            throw FacilityError(self, name, error, object: object())
        }
    }

    /// Makes a call that does not wait; nil if it would have had to (`EAGAIN`).
    func tryCall(_ name: SystemCallName, on object: @autoclosure () -> String = "", _ body: () -> Int) throws(FacilityError) -> Int? {
        do throws(Errno) {
            return try systemCall(name, body)
        } catch .resourceTemporarilyUnavailable {
            return nil
        } catch {
            throw FacilityError(self, name, error, object: object())
        }
    }

    /// Does what fails by an errno alone, as an operation of this facility.
    @discardableResult
    func checking<R: ~Copyable>(_ name: SystemCallName, on object: @autoclosure () -> String = "", _ body: () throws(Errno) -> R)
        throws(FacilityError) -> R
    {
        do throws(Errno) {
            return try body()
        } catch {
            throw FacilityError(self, name, error, object: object())
        }
    }
}
