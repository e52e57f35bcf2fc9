/// What an opener demands of an object's name.
public enum Existence: Sendable, Hashable {
    /// Opens the object or makes it: whoever comes first.
    case any
    /// Makes it; `nameTaken` if there is one.
    case mustBeNew
    /// Opens it; `notFound` if there is none.
    case mustExist
}
