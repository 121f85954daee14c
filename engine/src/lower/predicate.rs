//! Conjuncts of the IR before they are lowered: flattened, common parts taken out of ORs, what they say of one input alone.
//!
//! All rewrites hold in three-valued logic: AND and OR of Kleene's logic are distributive and absorb.

use fusion_proto::plan::{Expr, ExprKind};

/// The conjuncts of `predicates`: ANDs taken apart, and `(a AND b) OR (a AND c)` as `a` and `b OR c`.
pub fn conjuncts(predicates: &[Expr]) -> Vec<Expr> {
    let mut out = Vec::new();
    predicates.iter().for_each(|predicate| flatten(predicate, &mut out));
    out.into_iter().flat_map(factor).collect()
}

fn flatten(predicate: &Expr, out: &mut Vec<Expr>) {
    match &predicate.kind {
        ExprKind::And(args) => args.iter().for_each(|arg| flatten(arg, out)),
        _ => out.push(predicate.clone()),
    }
}

/// Branches of an OR, each as its conjuncts.
fn branches(predicate: &Expr) -> Option<Vec<Vec<Expr>>> {
    fn collect(args: &[Expr], out: &mut Vec<Vec<Expr>>) {
        for arg in args {
            match &arg.kind {
                ExprKind::Or(args) => collect(args, out),
                _ => {
                    let mut conjuncts = Vec::new();
                    flatten(arg, &mut conjuncts);
                    out.push(conjuncts);
                }
            }
        }
    }
    let ExprKind::Or(args) = &predicate.kind else {
        return None;
    };
    let mut out = Vec::new();
    collect(args, &mut out);
    Some(out)
}

fn factor(predicate: Expr) -> Vec<Expr> {
    let Some(branches) = branches(&predicate) else {
        return vec![predicate];
    };
    let Some((first, others)) = branches.split_first() else {
        return vec![predicate];
    };
    let everywhere = |conjunct: &&Expr| others.iter().all(|branch| branch.contains(conjunct));
    let mut common: Vec<Expr> = first.iter().filter(everywhere).cloned().collect();
    if common.is_empty() {
        return vec![predicate];
    }
    let rests: Vec<Vec<Expr>> = branches
        .iter()
        .map(|branch| branch.iter().filter(|conjunct| !common.contains(conjunct)).cloned().collect())
        .collect();
    // `a OR (a AND b)` is `a`.
    if rests.iter().all(|rest| !rest.is_empty()) {
        common.push(or(rests));
    }
    common
}

fn and(mut args: Vec<Expr>) -> Expr {
    match (args.len(), args.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            args.extend(last);
            Expr::boolean(ExprKind::And(args))
        }
    }
}

fn or(branches: Vec<Vec<Expr>>) -> Expr {
    Expr::boolean(ExprKind::Or(branches.into_iter().map(and).collect()))
}

/// What an OR over several inputs implies for one of them: the OR of what each branch says of that input alone. `belongs` tells whether
/// an expression is of that input. None if a branch says nothing of it.
pub fn implied(predicate: &Expr, belongs: impl Fn(&Expr) -> bool) -> Option<Expr> {
    let of_input: Vec<Vec<Expr>> = branches(predicate)?
        .into_iter()
        .map(|branch| branch.into_iter().filter(|conjunct| belongs(conjunct)).collect())
        .collect();
    of_input.iter().all(|branch: &Vec<Expr>| !branch.is_empty()).then(|| or(of_input))
}

/// Calls `see` with the index of every column in `expr`.
pub fn for_each_column(expr: &Expr, see: &mut dyn FnMut(u32)) {
    match &expr.kind {
        ExprKind::Column(index) => see(*index),
        ExprKind::Const(_) | ExprKind::Param(_) => {}
        ExprKind::Call { args, .. } | ExprKind::And(args) | ExprKind::Or(args) | ExprKind::Coalesce(args) => {
            args.iter().for_each(|arg| for_each_column(arg, see));
        }
        ExprKind::Compare { left, right, .. } => {
            for_each_column(left, see);
            for_each_column(right, see);
        }
        ExprKind::Not(arg) | ExprKind::IsNull { arg, .. } | ExprKind::IsBool { arg, .. } => for_each_column(arg, see),
        ExprKind::Case { branches, otherwise } => {
            for (condition, result) in branches {
                for_each_column(condition, see);
                for_each_column(result, see);
            }
            otherwise.iter().for_each(|otherwise| for_each_column(otherwise, see));
        }
        ExprKind::InArray { arg, array, .. } => {
            for_each_column(arg, see);
            for_each_column(array, see);
        }
        ExprKind::InList { arg, list, .. } => {
            for_each_column(arg, see);
            list.iter().for_each(|item| for_each_column(item, see));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fusion_common::TypeRef;
    use fusion_common::types::oid;

    fn column(index: u32) -> Expr {
        Expr::column(TypeRef::plain(oid::BOOL), index)
    }

    fn all(args: &[u32]) -> Expr {
        Expr::boolean(ExprKind::And(args.iter().map(|index| column(*index)).collect()))
    }

    fn any(args: Vec<Expr>) -> Expr {
        Expr::boolean(ExprKind::Or(args))
    }

    #[test]
    fn common_conjuncts_come_out_of_an_or() {
        let found = conjuncts(&[any(vec![all(&[0, 1]), all(&[2, 0])])]);
        assert_eq!(found, [column(0), any(vec![column(1), column(2)])]);
    }

    #[test]
    fn an_or_absorbs() {
        assert_eq!(conjuncts(&[any(vec![column(0), all(&[0, 1])])]), [column(0)]);
    }

    #[test]
    fn nothing_in_common_stays_whole() {
        let predicate = any(vec![all(&[0, 1]), all(&[2, 3])]);
        assert_eq!(conjuncts(std::slice::from_ref(&predicate)), [predicate]);
    }

    #[test]
    fn an_or_implies_something_for_an_input_of_every_branch() {
        let belongs = |expr: &Expr| matches!(expr.kind, ExprKind::Column(0 | 2));
        let predicate = any(vec![all(&[0, 1]), all(&[2, 3])]);
        assert_eq!(implied(&predicate, belongs), Some(any(vec![column(0), column(2)])));
        assert_eq!(implied(&any(vec![all(&[0, 1]), all(&[1, 3])]), belongs), None);
    }
}
