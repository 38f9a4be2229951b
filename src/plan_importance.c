/*
 * plan_importance.c - which entry of an importance matrix weighs which tensor.
 */
#include "plan.h"

int plan_open_importance(struct heft_plan *p, const struct heft_job *job, struct heft_err *err)
{
	if (!job->imatrix)
		return 0;
	return heft_imatrix_open(&p->imatrix, job->imatrix, err);
}

int plan_importance(struct heft_plan *p, struct plan_output *o, const struct heft_job *job, struct heft_err *err)
{
	if (!p->imatrix)
		return 0;
	return heft_fail(err, HEFT_E_IMATRIX, "importance matrices are not used yet");
}
